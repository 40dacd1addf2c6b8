import type { Form } from '../../http/body/form.js'
import { escapeHtml, htmlPage, lookWith, type Html } from '../../http/reply/html-page.js'
import { HttpResponse } from '../../http/reply/http-response.js'

/** A form that was refused for its token, and what it takes to send it once more. */
export interface RefusedForm {
  /** Why it was refused. */
  readonly message: string
  readonly form: Form
  /** Its media type. */
  readonly mimetype: string
  /** A token that is good. */
  readonly token: string
}

const look = lookWith('label{display:block;margin:0 0 1rem}input{display:block;font:inherit}button{font:inherit;padding:.3rem 1rem}dt{font-weight:bold}dd{margin:0 0 1rem;white-space:pre-wrap;overflow-wrap:anywhere}\n', "'self'")
/** Names of fields whose values are not shown, not even to whoever has typed them. */
const secretName = /pass|pwd|secret/i

/**
 * A page that keeps what was typed into a form, and sends it once more where somebody wants that. It shows all that it sends: a browser that does not say where a form comes from may have it from a page of somebody else's.
 * Passwords and files are asked for anew: a page does not hold them.
 */
export function repostPage({ message, form: { fields, files }, mimetype, token }: RefusedForm): HttpResponse {
  const given = Object.entries(fields).flatMap(([name, values]) => [values ?? []].flat().map((value) => [name, value] as const))
  const shown = given.filter(([name]) => !secretName.test(name))
  const inputs = [
    ...given.map(([name, value]) => (secretName.test(name) ? asked(name, 'type="password" autocomplete="off"') : hidden(name, value))),
    ...Object.entries(files).map(([name, value]) => asked(name, Array.isArray(value) ? 'type="file" multiple' : 'type="file"')),
    hidden('_csrf', token),
  ]
  const body = `<h1>Send once more?</h1>
<p>${escapeHtml(message)} Nothing has happened yet. What you typed is kept, passwords and files left out. Send it only if this is yours:</p>
<dl>
${shown.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('\n')}
</dl>
<form method="post" enctype="${mimetype === 'multipart/form-data' ? mimetype : 'application/x-www-form-urlencoded'}">
${inputs.join('\n')}
<button>Send</button>
</form>`
  return new HttpResponse(403, htmlPage(look, { title: '403 Forbidden', body }), { ...look.headers, 'cache-control': 'no-store', vary: 'Accept' })
}

function hidden(name: string, value: string): Html {
  return `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`
}

function asked(name: string, attributes: Html): Html {
  return `<label>${escapeHtml(name)} <input name="${escapeHtml(name)}" ${attributes}></label>`
}
