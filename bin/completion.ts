/** Scripts that complete a command line in a shell, from a list of words. */

export interface Word {
  /** The verbs before it: none, `members`, or `peers allow`. */
  readonly path: readonly string[]
  readonly text: string
  readonly summary: string
  /** `files`: any file may stand there; it has no text. */
  readonly kind: 'word' | 'option' | 'files'
  /** What follows an option. */
  readonly value?: Value
}

/** One of these words, one of them or a file, a file, a folder, or text of one's own. */
type Value = readonly string[] | { readonly wordsOrFiles: readonly string[] } | 'files' | 'folders' | 'text'

/** Finds the verbs among the words typed so far, then looks up what may come next. */
export function renderBash(words: readonly Word[]): string {
  const verbs = pathsOf(words).slice(1)
  return `# Completes p2pd in bash: source <(p2pd completion bash)
_p2pd() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path/\${COMP_WORDS[i]}" in
      ${verbs.map((path) => quote(key(path))).join(' | ')}) path="$path/\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path $prev" in
${valued(words)
  .map(
    (word) =>
      `    ${quote(`${key(word.path)} ${word.text}`)}) COMPREPLY=(${bashValue(word.value)}); return ;;`,
  )
  .join('\n')}
  esac
  case "$path" in
${pathsOf(words)
  .map(
    (path) =>
      `    ${quote(key(path))}) COMPREPLY=(${bashWords(at(words, path).map(({ text }) => text))}${takesFiles(words, path) ? ' $(compgen -f -- "$cur")' : ''}) ;;`,
  )
  .join('\n')}
  esac
}
complete -F _p2pd p2pd
`
}

function bashValue(value: Word['value']): string {
  if (value === 'files') return '$(compgen -f -- "$cur")'
  if (value === 'folders') return '$(compgen -d -- "$cur")'
  if (value === 'text' || value === undefined) return ''
  return 'wordsOrFiles' in value ? `${bashWords(value.wordsOrFiles)} ${bashValue('files')}` : bashWords(value)
}

function bashWords(words: readonly string[]): string {
  return `$(compgen -W ${quote(words.join(' '))} -- "$cur")`
}

/** The same, with a summary beside each word. */
export function renderZsh(words: readonly Word[]): string {
  const verbs = pathsOf(words).slice(1)
  return `#compdef p2pd
# Completes p2pd in zsh: put it into a folder of $fpath as _p2pd
_p2pd() {
  local verbs='' i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    case "$verbs/\${words[i]}" in
      ${verbs.map((path) => quote(key(path))).join(' | ')}) verbs="$verbs/\${words[i]}" ;;
    esac
  done
  case "$verbs \${words[CURRENT-1]}" in
${valued(words)
  .map((word) => `    ${quote(`${key(word.path)} ${word.text}`)}) ${zshValue(word.value)}; return ;;`)
  .join('\n')}
  esac
  case "$verbs" in
${pathsOf(words)
  .map(
    (path) =>
      `    ${quote(key(path))}) found=(${at(words, path).map(zshEntry).join(' ')})${takesFiles(words, path) ? '; _files' : ''} ;;`,
  )
  .join('\n')}
  esac
  _describe p2pd found
}
if [ "\${funcstack[1]}" = _p2pd ]; then _p2pd "$@"; else compdef _p2pd p2pd; fi
`
}

function zshValue(value: Word['value']): string {
  if (value === 'files') return '_files'
  if (value === 'folders') return '_files -/'
  if (value === 'text' || value === undefined) return '_message value'
  return 'wordsOrFiles' in value ? `${zshValue(value.wordsOrFiles)}; _files` : `compadd -- ${value.join(' ')}`
}

function zshEntry({ text, summary }: Word): string {
  return quote(`${text.replaceAll(':', '\\:')}:${summary}`)
}

/** A line a word; each asks which verbs stand before it. */
export function renderFish(words: readonly Word[]): string {
  const lines = words.map((word) => {
    const options = [
      `complete -c p2pd${word.kind === 'files' ? '' : ' -f'}`,
      `-n ${quote(`__p2pd_at ${word.path.join(' ')}`.trim())}`,
    ]
    if (word.kind === 'files') options.push('-F')
    else if (word.kind === 'word') options.push(`-a ${quote(word.text)}`)
    else options.push(`-l ${word.text.slice(2)}`, fishValue(word.value))
    options.push(`-d ${quote(word.summary)}`)
    return options.filter((option) => option !== '').join(' ')
  })
  const verbs = pathsOf(words).slice(1)
  return `# Completes p2pd in fish: p2pd completion fish > ~/.config/fish/completions/p2pd.fish
function __p2pd_at
  set -l verbs
  for word in (commandline -opc)[2..-1]
    contains -- (string join / $verbs $word) ${verbs.map((path) => quote(path.join('/'))).join(' ')}
    and set -a verbs $word
  end
  test "$verbs" = "$argv"
end
${lines.join('\n')}
`
}

function fishValue(value: Word['value']): string {
  if (value === undefined) return ''
  if (value === 'files' || value === 'folders') return '-r -F'
  if (value === 'text') return '-x'
  return 'wordsOrFiles' in value
    ? `-r -F -a ${quote(value.wordsOrFiles.join(' '))}`
    : `-x -a ${quote(value.join(' '))}`
}

function pathsOf(words: readonly Word[]): readonly (readonly string[])[] {
  return [...new Map(words.map(({ path }) => [key(path), path])).values()]
}

function at(words: readonly Word[], path: readonly string[]): readonly Word[] {
  return words.filter((word) => word.kind !== 'files' && key(word.path) === key(path))
}

function takesFiles(words: readonly Word[], path: readonly string[]): boolean {
  return words.some((word) => word.kind === 'files' && key(word.path) === key(path))
}

function valued(words: readonly Word[]): readonly Word[] {
  return words.filter(({ value }) => value !== undefined)
}

function key(path: readonly string[]): string {
  return path.map((verb) => `/${verb}`).join('')
}

/** For any of the three shells: no word or summary may hold a single quote. */
function quote(text: string): string {
  return `'${text.replaceAll("'", '’')}'`
}
