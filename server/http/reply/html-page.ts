import { createHash } from 'node:crypto'

/** HTML, made from texts that have been escaped. */
export type Html = string

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text as HTML, for an element's content or a quoted attribute. */
export function escapeHtml(text: string): Html {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}

/** How a page looks. */
export interface Look {
  readonly style: string
  /** The headers that a page of this look is sent with. */
  readonly headers: Readonly<Record<string, string>>
}

/** Small and readable, light or dark as the reader's screen is. */
const base = `
:root{color-scheme:light dark;--text:light-dark(#1d2430,#e3e6eb);--soft:light-dark(#667085,#98a2b3);--page:light-dark(#f7f7f8,#14171c)}
body{margin:0;background:var(--page);color:var(--text);font:1rem/1.55 system-ui,sans-serif}
main{max-width:34rem;margin:18vh auto 2rem;padding:0 1.5rem}
h1{margin:0 0 .75rem;font-size:1.4rem;line-height:1.3;overflow-wrap:anywhere}
p{margin:0 0 1rem;overflow-wrap:anywhere;white-space:pre-wrap}
small{font-size:.8rem;color:var(--soft)}
`

/**
 * The look that all pages of Rowhouse share, with further rules. Nothing may be loaded or run; the style is known by its hash (Content Security Policy Level 3, 2.3.1).
 *
 * @param formAction where forms of the page may be sent to
 */
export function lookWith(rules: string, formAction: "'none'" | "'self'" = "'none'"): Look {
  const style = base + rules
  const hash = createHash('sha256').update(style).digest('base64')
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action ${formAction}; frame-ancestors 'none'`
  return { style, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy } }
}

/** A whole page. */
export function htmlPage({ style }: Look, { title, body }: { readonly title: string; readonly body: Html }): Html {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(title)}</title><meta name="viewport" content="width=device-width"><style>${style}</style></head>
<body><main>
${body}
</main></body>
</html>
`
}
