"""How people use it: HTTP API, pages and print, in Chinese and English."""
