"""The gate between a wish and an order, and everything it judges by."""
