"""The pages: HTML made by the node for people, in Chinese and English; every one works without JavaScript."""
