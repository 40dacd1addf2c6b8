import { isDeclaredIn, walk, type CheckedProgram, type Misuse } from './checked-program.js'

/** What is wrong with a name that `urlFor` is called with, as a sentence; null when nothing is. */
export type NameCheck = (name: string) => string | null

/** Finds names that `urlFor` is called with and no endpoint has, where the compiler knows the name. */
export function unknownNames(program: CheckedProgram, checkName: NameCheck): Misuse[] {
  const { compiler, checker } = program
  const misuses: Misuse[] = []
  walk(program, (node) => {
    if (!compiler.isCallExpression(node)) return
    const [name] = node.arguments
    if (
      name === undefined ||
      !isDeclaredIn(program, checker.getResolvedSignature(node)?.declaration, 'server/exports/url-for')
    )
      return
    const type = checker.getTypeAtLocation(name)
    for (const each of type.isUnion() ? type.types : [type]) {
      const sentence = each.isStringLiteral() ? checkName(each.value) : null
      if (sentence !== null) misuses.push({ node: name, sentence })
    }
  })
  return misuses
}
