import assert from 'node:assert/strict'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { WireError } from '../../../lib/wire/errors.ts'
import { ProtoReader } from '../../../lib/wire/reader.ts'
import { TextMemory } from '../../../lib/wire/text-memory.ts'
import { utf8Text } from '../../../lib/wire/utf8.ts'
import { ProtoWriter } from '../../../lib/wire/writer.ts'

/** A tree of messages, each field of which is one value. */
type Value =
  | { readonly type: 'count'; readonly value: number }
  | { readonly type: 'double'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'message'; readonly value: readonly Value[] }

const { message } = fc.letrec<{ value: Value; message: readonly Value[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.record({ type: fc.constant('count' as const), value: fc.maxSafeNat() }),
    fc.record({ type: fc.constant('double' as const), value: fc.double() }),
    fc.record({ type: fc.constant('bool' as const), value: fc.boolean() }),
    fc.record({
      type: fc.constant('text' as const),
      value: fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 120, maxLength: 300 })),
    }),
    fc.record({ type: fc.constant('message' as const), value: tie('message') }),
  ),
  message: fc.array(tie('value'), { maxLength: 6 }),
}))

function write(writer: ProtoWriter, values: readonly Value[]): void {
  for (const [i, { type, value }] of values.entries()) {
    const field = i + 1
    if (type === 'count') writer.uint(field, value)
    else if (type === 'double') writer.double(field, value)
    else if (type === 'bool') writer.bool(field, value)
    else if (type === 'text') writer.text(field, value)
    else {
      const mark = writer.open(field)
      write(writer, value)
      writer.close(mark)
    }
  }
}

/** The same by the library, defaults left out. */
function writeByLibrary(writer: BinaryWriter, values: readonly Value[]): BinaryWriter {
  for (const [i, { type, value }] of values.entries()) {
    const field = i + 1
    if (type === 'message') writeByLibrary(writer.tag(field, 2).fork(), value).join()
    else if (Object.is(value, 0) || value === false || value === '') continue
    else if (type === 'count') writer.tag(field, 0).uint64(BigInt(value))
    else if (type === 'double') writer.tag(field, 1).double(value)
    else if (type === 'bool') writer.tag(field, 0).bool(value)
    else writer.tag(field, 2).string(value)
  }
  return writer
}

/** What `reader` holds, in the shape of `values`; a field left out has its default. */
function read(reader: ProtoReader, values: readonly Value[]): Value[] {
  const found = values.map(emptyOf)
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    const expected = values[field - 1]
    if (expected === undefined) return reader.unknown()
    found[field - 1] = readValue(reader, expected)
  }
  return found
}

function readValue(reader: ProtoReader, expected: Value): Value {
  switch (expected.type) {
    case 'count':
      return { type: 'count', value: reader.count() }
    case 'double':
      return { type: 'double', value: reader.double() }
    case 'bool':
      return { type: 'bool', value: reader.bool() }
    case 'text':
      return { type: 'text', value: reader.text(memory) }
    case 'message':
      return { type: 'message', value: read(reader.message('Inner'), expected.value) }
  }
}

function emptyOf(value: Value): Value {
  switch (value.type) {
    case 'count':
    case 'double':
      return { type: value.type, value: 0 }
    case 'bool':
      return { type: 'bool', value: false }
    case 'text':
      return { type: 'text', value: '' }
    case 'message':
      return { type: 'message', value: [] }
  }
}

const memory = new TextMemory(10_000, utf8Text)

describe('protobuf by hand', () => {
  it('is written as the library writes it', () => {
    const writer = new ProtoWriter()
    fc.assert(
      fc.property(message, (values) => {
        writer.begin()
        write(writer, values)
        const theirs = writeByLibrary(new BinaryWriter(), values).finish()
        assert.deepEqual(Buffer.from(writer.finish()), Buffer.from(theirs))
      }),
      { numRuns: 500 },
    )
  })

  it('is read as it was written', () => {
    const writer = new ProtoWriter()
    fc.assert(
      fc.property(message, (values) => {
        writer.begin()
        write(writer, values)
        assert.deepEqual(read(new ProtoReader(writer.finish(), 'Outer'), values), structuredClone(values))
      }),
      { numRuns: 500 },
    )
  })

  it('closes messages of any length around others', () => {
    for (const length of [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000]) {
      const writer = new ProtoWriter()
      const outer = writer.open(1)
      const inner = writer.open(1)
      writer.bytes(1, new Uint8Array(length))
      writer.close(inner)
      writer.uint(2, 7)
      writer.close(outer)
      const reader = new ProtoReader(writer.finish(), 'Outer')
      assert.equal(reader.next(), 1)
      const middle = reader.message('Middle')
      assert.equal(middle.next(), 1)
      const innermost = middle.message('Inner')
      assert.equal(innermost.next(), 1)
      assert.equal(innermost.bytes().length, length)
      assert.equal(innermost.next(), 0)
      assert.equal(middle.next(), 2)
      assert.equal(middle.count(), 7)
      assert.deepEqual([middle.next(), reader.next()], [0, 0])
    }
  })
})

describe('a reader of protobuf', () => {
  const refused = (act: () => unknown, message: RegExp) =>
    assert.throws(act, (error) => {
      return error instanceof WireError && error.code === 'ERR_MALFORMED' && message.test(error.message)
    })
  const at = (...bytes: readonly number[]) => {
    const reader = new ProtoReader(Uint8Array.from(bytes), 'Outer')
    reader.next()
    return reader
  }

  it('keeps a message inside its own bytes', () => {
    // A message of one byte, whose number, length or text would go on behind its end.
    for (const inside of [[0x08], [0x08, 0x80], [0x0a, 1], [0x09, 0, 0, 0]]) {
      const reader = at(0x0a, inside.length, ...inside, 1, 1, 1, 1, 1, 1, 1, 1).message('Inner')
      refused(() => {
        const field = reader.next()
        if (inside[0] === 0x08) reader.uint()
        else if (inside[0] === 0x09) reader.double()
        else reader.bytes()
        return field
      }, /of Inner/)
    }
    refused(() => at(0x0a, 2, 0).message('Inner'), /too long/)
  })

  it('takes each field once, but the one that repeats', () => {
    const reader = at(0x0a, 6, 0x08, 1, 0x10, 1, 0x08, 2).message('Inner', 1)
    assert.deepEqual([reader.next(), reader.uint(), reader.next(), reader.uint()], [1, 1, 2, 1])
    assert.deepEqual([reader.next(), reader.uint(), reader.next()], [1, 2, 0])
    const strict = at(0x0a, 4, 0x08, 1, 0x08, 2).message('Inner')
    assert.deepEqual([strict.next(), strict.uint()], [1, 1])
    refused(() => strict.next(), /field 1 of Inner: twice/)
  })

  it('bounds the messages inside one, at any depth', () => {
    // A message in a message in a message.
    const bytes = Uint8Array.of(0x0a, 4, 0x0a, 2, 0x0a, 0)
    const descend = (left: number) => {
      let reader = new ProtoReader(bytes, 'Outer', 0, { left })
      while (reader.next() !== 0) reader = reader.message('Inner')
    }
    descend(3)
    refused(() => descend(2), /too many messages/)
  })

  it('refuses what is neither false nor true, and a number that is not exact', () => {
    refused(() => at(0x08, 2).bool(), /neither/)
    assert.equal(at(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f).count(), Number.MAX_SAFE_INTEGER)
    refused(() => at(0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10).count(), /beyond/)
  })

  it('refuses a value of another type than it is asked for', () => {
    refused(() => at(0x08, 1).message('Inner'), /another type/)
    refused(() => at(0x08, 1).text(memory), /another type/)
    refused(() => at(0x0a, 0).count(), /another type/)
    refused(() => at(0x0a, 0).bool(), /another type/)
    refused(() => at(0x0a, 0).double(), /another type/)
  })
})
