"""The front end that shows signals: pictures linked by the position in the scan, live in notebooks and windows."""
