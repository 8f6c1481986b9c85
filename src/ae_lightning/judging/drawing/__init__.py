"""What several pictures share: style, tiles, planes and pages."""
