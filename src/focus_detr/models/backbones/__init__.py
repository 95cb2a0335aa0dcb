"""Feature extractors with three maps of strides 8, 16 and 32."""
