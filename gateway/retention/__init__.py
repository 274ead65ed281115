"""留存期限: how long what is personal is kept, after what, on which basis – and that it goes then, recorded."""
