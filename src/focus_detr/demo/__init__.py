"""A small web page and HTTP endpoint around a detector."""
