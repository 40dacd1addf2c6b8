import type TypeScript from 'typescript'
import { isDeclaredIn, walk, type CheckedProgram, type Misuse } from './checked-program.js'

/** The methods that write, of each type of the library. */
const writes: Readonly<Record<string, readonly string[]>> = {
  Table: ['addRow', 'addRows', 'upsert', 'deleteAllRows'],
  TableSearch: ['update', 'delete'],
  TableRow: ['update', 'delete'],
}

/** Functions whose promise stands for those that they are given. */
const gathering: ReadonlySet<string> = new Set(['all', 'allSettled', 'race', 'any'])

/**
 * Finds writes that nobody waits for: the answer is sent without them, a transaction ends before them, and when they
 * fail nobody hears of it.
 * A call of a function of the app's own that writes counts as a write, too. What is meant is said by `void`, or by a
 * `catch`.
 */
export class FloatingWrites {
  readonly #program: CheckedProgram
  readonly #calls: TypeScript.CallExpression[] = []
  /** Functions of the app that return the promise of a write. */
  readonly #writers = new Set<TypeScript.Node>()

  constructor(program: CheckedProgram) {
    this.#program = program
    walk(program, (node) => {
      if (program.compiler.isCallExpression(node)) this.#calls.push(node)
    })
    this.#findWriters()
  }

  find(): Misuse[] {
    const calls = this.#calls.filter((call) => this.#isWrite(call) && this.#isDropped(call))
    const functions = [...this.#writers].filter(
      (writer) =>
        this.#isUnheard(writer) &&
        !calls.some(
          (call) => call.pos >= writer.pos && call.end <= writer.end && call.getSourceFile() === writer.getSourceFile(),
        ),
    )
    return [
      ...calls.map((node) => ({
        node,
        sentence:
          `nobody waits for ${this.#nameOf(node)}(), which writes; ` +
          'await it, or say by "void" that nobody is to',
      })),
      ...functions.map((node) => ({
        node,
        sentence: 'nobody waits for what this function returns, and it writes; call it in a loop that awaits it',
      })),
    ]
  }

  #findWriters(): void {
    for (let known = -1; known < this.#writers.size;) {
      known = this.#writers.size
      for (const call of this.#calls) {
        const around = this.#functionAround(call)
        if (around !== null && this.#isWrite(call) && this.#givesPromise(around)) this.#writers.add(around)
      }
    }
  }

  #isWrite(call: TypeScript.CallExpression): boolean {
    const declaration = this.#program.checker.getResolvedSignature(call)?.declaration
    if (declaration === undefined) return false
    if (this.#writers.has(declaration)) return true
    if (isDeclaredIn(this.#program, declaration, 'server/exports/tables')) return this.#nameOf(call) === 'transaction'
    if (!isDeclaredIn(this.#program, declaration, 'db/rows/row-types')) return false
    const { compiler } = this.#program
    const { parent } = declaration
    const type =
      compiler.isInterfaceDeclaration(parent) || compiler.isClassDeclaration(parent) ? parent.name?.text : undefined
    return type !== undefined && writes[type]?.includes(this.#nameOf(call)) === true
  }

  /** Whether the promise of a call goes nowhere. */
  #isDropped(call: TypeScript.Node): boolean {
    const { compiler } = this.#program
    const { parent } = call
    if (compiler.isExpressionStatement(parent)) return true
    const isAround = compiler.isParenthesizedExpression(parent) || compiler.isNonNullExpression(parent)
    if (isAround || compiler.isAsExpression(parent)) return this.#isDropped(parent)
    if (compiler.isConditionalExpression(parent)) return parent.condition !== call && this.#isDropped(parent)
    if (compiler.isBinaryExpression(parent)) return this.#passesOn(parent, call) && this.#isDropped(parent)
    if (compiler.isPropertyAccessExpression(parent)) return this.#isDroppedAfter(parent)
    if (compiler.isArrowFunction(parent)) return this.#isDroppedBy(parent)
    if (compiler.isReturnStatement(parent)) return this.#isDroppedBy(this.#functionAround(parent))
    if (compiler.isCallExpression(parent)) return this.#isGathering(parent) && this.#isDropped(parent)
    return false
  }

  #passesOn({ operatorToken, right }: TypeScript.BinaryExpression, call: TypeScript.Node): boolean {
    const { SyntaxKind } = this.#program.compiler
    const { kind } = operatorToken
    if (kind === SyntaxKind.CommaToken) return true
    return (
      right === call &&
      (kind === SyntaxKind.AmpersandAmpersandToken ||
        kind === SyntaxKind.BarBarToken ||
        kind === SyntaxKind.QuestionQuestionToken)
    )
  }

  /**
   * `.then(…)` and `.finally(…)` give another promise of the same fate; `.catch(…)` and a second argument of `.then`
   * look after it.
   */
  #isDroppedAfter(access: TypeScript.PropertyAccessExpression): boolean {
    const { parent } = access
    if (!this.#program.compiler.isCallExpression(parent) || parent.expression !== access) return false
    const name = access.name.text
    return (name === 'finally' || (name === 'then' && parent.arguments.length < 2)) && this.#isDropped(parent)
  }

  /**
   * Whether whoever calls a function has no use for what it returns: a `forEach`, or a `map` whose list goes nowhere.
   */
  #isDroppedBy(around: TypeScript.Node | null): boolean {
    if (around === null || !this.#isArgument(around)) return false
    return (
      this.#isUnheard(around) ||
      (['map', 'flatMap'].includes(this.#nameOf(around.parent)) && this.#isDropped(around.parent))
    )
  }

  /** Whether a function is handed to one that has no use for what it returns. */
  #isUnheard(given: TypeScript.Node): boolean {
    const { compiler, checker } = this.#program
    const wanted = this.#isArgument(given) ? (checker.getContextualType(given)?.getCallSignatures() ?? []) : []
    return (
      wanted.length > 0 &&
      wanted.every((signature) => (signature.getReturnType().flags & compiler.TypeFlags.Void) !== 0)
    )
  }

  #isArgument(node: TypeScript.Node): node is TypeScript.Expression & { readonly parent: TypeScript.CallExpression } {
    const { compiler } = this.#program
    return (
      (compiler.isArrowFunction(node) || compiler.isFunctionExpression(node)) &&
      compiler.isCallExpression(node.parent) &&
      node.parent.expression !== node
    )
  }

  #isGathering(call: TypeScript.CallExpression): boolean {
    const { compiler } = this.#program
    const { expression } = call
    return (
      compiler.isPropertyAccessExpression(expression) &&
      compiler.isIdentifier(expression.expression) &&
      expression.expression.text === 'Promise' &&
      gathering.has(expression.name.text)
    )
  }

  #givesPromise(around: TypeScript.SignatureDeclaration): boolean {
    const { checker } = this.#program
    const signature = checker.getSignatureFromDeclaration(around)
    return signature !== undefined && signature.getReturnType().getProperty('then') !== undefined
  }

  #functionAround(node: TypeScript.Node): TypeScript.SignatureDeclaration | null {
    const { compiler } = this.#program
    const found = compiler.findAncestor(node.parent, (each) => compiler.isFunctionLike(each))
    return found !== undefined && compiler.isFunctionLike(found) ? found : null
  }

  #nameOf({ expression }: TypeScript.CallExpression): string {
    return this.#program.compiler.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText()
  }
}
