"""``report/index.html``: a results folder as one page that needs no network and no server."""
