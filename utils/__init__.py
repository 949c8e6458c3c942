"""Helps: few files, no project import, each with one noun."""
