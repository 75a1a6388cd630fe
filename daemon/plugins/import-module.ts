/** Apart from the bundle, which is a script and has no `import()` of its own. */
export async function importModule(url: string): Promise<unknown> {
  return await import(url)
}
