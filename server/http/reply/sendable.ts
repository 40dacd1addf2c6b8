/**
 * What stands in an error of the compiler where a handler returns something that cannot be sent. Exists in types only.
 */
export interface CannotSend<Why extends string> {
  readonly [cannotSend]: Why
}

declare const cannotSend: unique symbol

/**
 * `unknown` for what a handler may return, an error that says what is wrong and where for what certainly cannot be
 * sent: a parameter of type `Value & Sendable<Value>` takes the one and refuses
 * the other. `docs/http.md` has the table. What a type does not tell, such as the class of an object, is found when
 * it is sent; `unknown` and type parameters pass.
 */
export type Sendable<Value> =
  Refused<FaultOfReply<Value>> extends true ? CannotSend<`response${FaultOfReply<Value>}`> : unknown

/** The same for the body of a response, which is not waited for. */
export type SendableBody<Value> = Refused<FaultOf<Value>> extends true ? CannotSend<`body${FaultOf<Value>}`> : unknown

/** A type of its own, so that a type parameter, of which nothing is known yet, counts as sendable. */
type Refused<Fault extends string> = [Fault] extends [never] ? false : true

/** What is wrong with a value, as the end of a sentence that begins with `response`; never when nothing is. */
type FaultOf<Value> = unknown extends Value ? never : Value extends SentWhole ? never : FaultInside<Value, Levels>

type FaultOfReply<Value> = unknown extends Value
  ? never
  : Value extends PromiseLike<infer Settled>
    ? FaultOfReply<Settled>
    : FaultOf<Value>

/** What is sent as it is, or decides itself what is sent. */
type SentWhole =
  | SentAsJson
  | AsyncIterable<unknown>
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Response
  | { readonly status: number; readonly body: unknown; readonly headers: object }

type SentAsJson = string | number | boolean | null | undefined | void | { toJSON(...args: never): unknown }

/** How deep is looked: types may contain themselves. */
type Levels = [1, 2, 3, 4, 5]

type FaultInside<Value, Deeper extends readonly unknown[]> = unknown extends Value
  ? never
  : Value extends SentAsJson
    ? never
    : Value extends bigint
      ? ' is a BigInt'
      : Value extends symbol
        ? ' is a symbol'
        : Value extends AnyFunction
          ? ' is a function'
          : Value extends PromiseLike<unknown>
            ? ' is a promise: await it'
            : Value extends ReadonlyMap<unknown, unknown>
              ? ' is a Map'
              : Value extends ReadonlySet<unknown>
                ? ' is a Set'
                : Value extends Search
                  ? ' is a search: await its all()'
                  : Deeper extends readonly [unknown, ...infer Rest]
                    ? Value extends readonly (infer Member)[]
                      ? `[]${FaultInside<Member, Rest>}`
                      : FaultOfMembers<Value, Rest>
                    : never

/** What tells a search, which is sent as a list only where it is the whole answer. */
type Search = { all(): PromiseLike<readonly unknown[]>; exists(): PromiseLike<boolean> }

type AnyFunction = ((...args: never) => unknown) | (abstract new (...args: never) => unknown)

/** One fault for an object with methods, however many it has. */
type FaultOfMembers<Value, Deeper extends readonly unknown[]> = true extends {
  [Name in keyof Value]-?: IsMethod<Value[Name]>
}[keyof Value]
  ? ' is an object with methods and without toJSON'
  : { [Name in keyof Value & string]-?: `.${Name}${FaultInside<Likely<Value[Name]>, Deeper>}` }[keyof Value & string]

type IsMethod<Member> = unknown extends Member
  ? false
  : [Member] extends [never]
    ? false
    : [Member] extends [AnyFunction]
      ? true
      : false

/** A function that may be left out may well be, so nothing certain is known of it. */
type Likely<Member> = undefined extends Member ? Exclude<Member, AnyFunction> : Member
