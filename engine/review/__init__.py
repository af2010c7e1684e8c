"""What is said afterwards. Pure: rows in, figures out."""
