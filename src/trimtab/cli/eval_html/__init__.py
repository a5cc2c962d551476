"""A comparison as one HTML file that can be mailed: no script, no font, no picture from elsewhere."""

from trimtab.cli.eval_html.page import report_page

__all__ = ["report_page"]
