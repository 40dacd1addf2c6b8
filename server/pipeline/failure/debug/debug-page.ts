import { formatFrame, type ReportedError, type ReportedFrame } from './debug-report.js'
import type { DebugReport } from '../error-reply.js'
import { escapeHtml, htmlPage, lookWith, type Html } from '../../../http/reply/html-page.js'

/** What the page tells beside the report. */
export interface DebugPageOptions {
  /** `500 Internal Server Error`. */
  readonly title: string
  readonly requestId: string
}

/** The page's look. */
export const debugLook = lookWith(`:root{--card:light-dark(#fff,#1b1f26);--line:light-dark(#e3e5e9,#2c323c);--mark:light-dark(#fdecea,#3d2326);--accent:light-dark(#b42318,#ff8a80)}
*{box-sizing:border-box}
main{max-width:62rem;margin:2.5rem auto}
h2{margin:2.5rem 0 .75rem;font-size:1.1rem;line-height:1.4;overflow-wrap:anywhere;white-space:pre-wrap}
.soft{color:var(--soft)}
.message{font-size:1.15rem}
.name{color:var(--accent)}
pre,ol{font:.8rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
figure,details{margin:0 0 1rem;border:1px solid var(--line);border-radius:8px;background:var(--card);overflow:hidden}
figcaption,summary{padding:.5rem .9rem;font-size:.85rem;overflow-wrap:anywhere}
figcaption{border-bottom:1px solid var(--line)}
summary{cursor:pointer}
pre{margin:0;padding:.5rem 0;overflow-x:auto;tab-size:2}
pre>span{display:block;width:max-content;min-width:100%;padding:0 .9rem}
pre i{display:inline-block;width:3rem;padding-right:1rem;text-align:right;font-style:normal;color:var(--soft);user-select:none}
pre>.marked{background:var(--mark);box-shadow:inset 3px 0 var(--accent)}
details ol{margin:0;padding:.25rem .9rem .75rem 2.75rem;overflow-wrap:anywhere}
`)

/** The page that tells the developer of an app why a request failed. It runs no script and loads nothing. */
export function debugPage({ errors, method, path }: DebugReport, { title, requestId }: DebugPageOptions): Html {
  const [first] = errors
  return htmlPage(debugLook, {
    title: first === undefined ? title : `${first.name}: ${first.message.slice(0, 100)}`,
    body: `<p class="soft">${escapeHtml(`${title} on ${method} ${path}`)}</p>
${errors.map(toSection).join('\n')}
<p><small>Request ${escapeHtml(requestId)}, under which the log has this error too. You see its details because the setting “debug” is on.</small></p>`,
  })
}

function toSection({ relation, name, message, frames }: ReportedError): Html {
  const own = frames.filter(({ source }) => source.length > 0)
  const heading = relation === '' ? `<h1 class="name">${escapeHtml(name)}</h1>\n<p class="message">${escapeHtml(message)}</p>` : `<h2><span class="soft">${escapeHtml(relation)}</span> <span class="name">${escapeHtml(name)}</span>\n${escapeHtml(message)}</h2>`
  return `<section>
${heading}
${own.map(toFigure).join('\n')}
${frames.length === 0 ? '' : `<details${own.length === 0 ? ' open' : ''}><summary>All calls (${frames.length})</summary><ol>${frames.map((frame) => `<li${frame.isOwn ? '' : ' class="soft"'}>${escapeHtml(formatFrame(frame))}</li>`).join('')}</ol></details>`}
</section>`
}

function toFigure({ code, file, line, column, source }: ReportedFrame): Html {
  const lines = source.map(({ number, text, isMarked }) => `<span${isMarked ? ' class="marked"' : ''}><i>${number}</i>${escapeHtml(text)}</span>`)
  return `<figure><figcaption><strong>${escapeHtml(`${file}:${line}:${column}`)}</strong>${code === '' ? '' : ` <span class="soft">${escapeHtml(code)}</span>`}</figcaption><pre>${lines.join('')}</pre></figure>`
}
