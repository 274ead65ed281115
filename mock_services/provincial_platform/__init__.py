"""The provincial platform (省电子证照共享服务平台), as GB/T 36906 shapes it, over a synthetic province."""
