"""送达: an accepted event reaches its receiver, in order, once in effect, with a signed receipt."""
