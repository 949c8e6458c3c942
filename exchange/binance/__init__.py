"""Binance USDⓈ-M futures: how this venue is asked and what its answers mean."""
