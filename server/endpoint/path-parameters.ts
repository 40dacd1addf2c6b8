import type { Parameters, ParameterValue } from './parameters.js'

/** The parameters in a path with the types of their values: `{ id: string; item: number }` for `/users/:id/items/<int:item>`. */
export type PathParameters<Path extends string> = Path extends `${infer Segment}/${infer Rest}`
  ? SegmentParameter<Segment> & PathParameters<Rest>
  : SegmentParameter<Path>

type SegmentParameter<Segment extends string> = Segment extends `:${infer Name}`
  ? { readonly [N in Name]: string }
  : Segment extends `<${infer Converter}:${infer Name}>`
    ? { readonly [N in Name]: ConverterValue<Converter> }
    : Segment extends `<${infer Name}>`
      ? { readonly [N in Name]: string }
      : unknown

type ConverterValue<Converter extends string> = Converter extends `${'int' | 'float'}${'' | `(${string}`}`
  ? number
  : string

/**
 * What a handler is called with: the path's parameters (or what `params` makes of them), the declared parameters converted, and whatever else the caller sent, unchecked.
 * A conditional type, so that an editor shows the parameters and not how they came about.
 */
export type EndpointArguments<Path extends string, Params extends Parameters> = [
  PathParameters<Path> & Given<Params, unknown>,
  Given<Params, Record<never, never>>,
] extends [infer Named, infer Declared extends Parameters]
  ? [keyof Named] extends [never]
    ? { readonly [other: string]: unknown }
    : { readonly [Name in keyof Named]: Name extends keyof Declared ? ParameterValue<Declared[Name]> : Named[Name] } & {
        readonly [other: string]: unknown
      }
  : never

/**
 * A type argument, or what stands for it where there is none: while the compiler looks into a function that wraps a
 * handler, an option that was left out has the type `never`.
 */
export type Given<Argument, Otherwise> = [Argument] extends [never] ? Otherwise : Argument
