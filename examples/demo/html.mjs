const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text that is HTML already. */
class Markup {
  constructor(text) {
    this.text = text
  }
}

/** A template whose values are escaped, except for those that come from a template of this kind. */
export function html(strings, ...values) {
  return new Markup(
    strings.map((text, index) => text + (index < values.length ? rendered(values[index]) : '')).join(''),
  )
}

/** The document as text. */
export function documentText(markup) {
  return `<!doctype html>\n${markup.text}`
}

function rendered(value) {
  if (value instanceof Markup) return value.text
  if (Array.isArray(value)) return value.map(rendered).join('')
  if (value === undefined || value === null || value === false) return ''
  return String(value).replace(/[&<>"']/g, character => ESCAPES[character])
}
