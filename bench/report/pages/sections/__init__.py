"""Sections of pages: functions from what a page is about to its blocks."""
