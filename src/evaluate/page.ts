import { escapeXml as text } from "./svg.js";

/** Nothing of the page runs, and nothing is fetched: whatever a file has put into it. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** One page that needs nothing else: styles, charts (SVG) and pictures (PNG) are in it. Empty sections are left out. */
export function pageHtml(title: string, style: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="ncvsd-gpu">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
${sections.filter((section) => section !== "").join("\n")}
</body>
</html>
`;
}
