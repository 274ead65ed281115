"""One module per subject of statements; each looks at one `Examination` and notes what it finds there."""
