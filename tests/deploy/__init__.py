"""What is given to those who run it: image, compose file, unit, proxy."""
