"""What `rag.corpus` asks: file formats, web pages, encodings, dates, the isolated reader."""
