"""The paper's figures, tables and counts, from checkpoints, settings and photographs."""
