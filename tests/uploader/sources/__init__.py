"""What files become when the uploader reads them."""
