import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../repository/imports.ts'

describe('the example at the head of the library', () => {
  it('runs as it stands', async () => {
    const [, comment = ''] = /```js\n([^`]*)```/.exec(readFileSync(join(root, 'lib/index.ts'), 'utf8')) ?? []
    const program = comment.replaceAll(/^ \* ?/gm, '')
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: root,
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    for (const said of [
      / alive$/m,
      /^two of the blue ones 1 \{\s+'\w+#\d+': 1\s+\}$/m,
      /^ {2}lamport: 1,$/m,
    ]) {
      assert.match(stdout, said)
    }
  })
})
