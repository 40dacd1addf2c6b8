import type TypeScript from 'typescript'
import { isDeclaredIn, walk, type CheckedProgram, type Misuse } from './checked-program.js'

/** What looks at an object's own properties only. */
const ownOnly: ReadonlySet<string> = new Set(['keys', 'values', 'entries', 'assign', 'getOwnPropertyNames'])

/**
 * Finds where the columns of a row are meant and left out, since they are getters of its class: in a spread, and in
 * `Object.entries` and the like.
 */
export function spreadRows(program: CheckedProgram): Misuse[] {
  const { compiler } = program
  const misuses: Misuse[] = []
  const look = (node: TypeScript.Node, what: string): void => {
    if (isRow(program, node)) misuses.push({ node, sentence: sentenceOf(what) })
  }
  walk(program, (node) => {
    if (compiler.isSpreadAssignment(node)) {
      look(node.expression, 'a spread')
    } else if (compiler.isBindingElement(node) && node.dotDotDotToken !== undefined) {
      if (compiler.isObjectBindingPattern(node.parent)) look(node.parent, 'a rest')
    } else if (compiler.isCallExpression(node)) {
      for (const given of givenToObject(program, node)) look(given, node.expression.getText())
    }
  })
  return misuses
}

function sentenceOf(what: string): string {
  return (
    `the columns of a row are getters of its class, which ${what} leaves out; ` +
    'use the plain object that its toJSON() gives'
  )
}

/** The arguments of a call such as `Object.entries(…)`. */
function givenToObject(
  { compiler }: CheckedProgram,
  { expression, arguments: given }: TypeScript.CallExpression,
): readonly TypeScript.Expression[] {
  if (!compiler.isPropertyAccessExpression(expression) || !compiler.isIdentifier(expression.expression)) return []
  return expression.expression.text === 'Object' && ownOnly.has(expression.name.text) ? given : []
}

/** Whether an expression may be a row. */
function isRow(program: CheckedProgram, node: TypeScript.Node): boolean {
  const type = program.checker.getTypeAtLocation(node)
  return (type.isUnion() ? type.types : [type]).some((each) => {
    const [declaration] = each.getProperty('reload')?.declarations ?? []
    return isDeclaredIn(program, declaration, 'db/rows/row-types')
  })
}
