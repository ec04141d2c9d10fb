"""Labels by hand: a page on this computer shows images or cells, one key labels one, and a label table comes out."""
