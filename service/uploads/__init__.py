"""Request bodies on their way in: streamed, bounded, checked, hashed and stored."""
