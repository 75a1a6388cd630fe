/** Cuts a list into pages that hold at most so many elements and so many bytes; at least one page, and one element a page. */
export function pagesOf<T>(
  list: readonly T[],
  limits: { readonly count: number; readonly bytes: number },
  sizeOf: (element: T) => number,
): T[][] {
  const pages: T[][] = []
  let page: T[] = []
  let bytes = 0
  for (const element of list) {
    const size = sizeOf(element)
    if (page.length >= limits.count || (page.length > 0 && bytes + size > limits.bytes)) {
      pages.push(page)
      page = []
      bytes = 0
    }
    page.push(element)
    bytes += size
  }
  pages.push(page)
  return pages
}
