"""From labelled images to the regions that get one embedding each: boxes, masks, segmenters, tiles, windows."""
