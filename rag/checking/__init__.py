"""What `rag.verify` asks: facts, what contradicts them, the score of support, plug-in checkers."""
