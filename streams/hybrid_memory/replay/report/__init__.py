"""The comparison of a replay as one HTML file: plots in SVG, no script, nothing from elsewhere."""
