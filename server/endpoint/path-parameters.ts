import type { Parameters, ParameterValue } from './parameters.js'

/** The parameters in a path with the types of their values: `{ id: string; item: number }` for `/users/:id/items/<int:item>`. */
export type PathParameters<Path extends string> = Path extends `${infer Segment}/${infer Rest}` ? SegmentParameter<Segment> & PathParameters<Rest> : SegmentParameter<Path>

type SegmentParameter<Segment extends string> = Segment extends `:${infer Name}`
  ? { readonly [N in Name]: string }
  : Segment extends `<${infer Converter}:${infer Name}>`
    ? { readonly [N in Name]: ConverterValue<Converter> }
    : Segment extends `<${infer Name}>`
      ? { readonly [N in Name]: string }
      : unknown

type ConverterValue<Converter extends string> = Converter extends `${'int' | 'float'}${'' | `(${string}`}` ? number : string

/**
 * What a handler is called with: the path's parameters (or what `params` makes of them), the declared parameters converted, and whatever else the caller sent, unchecked.
 * A conditional type, so that an editor shows the parameters and not how they came about.
 */
export type EndpointArguments<Path extends string, Params extends Parameters> =
  PathParameters<Path> extends infer InPath
    ? { readonly [Name in keyof InPath | keyof Params]: Name extends keyof Params ? ParameterValue<Params[Name]> : Name extends keyof InPath ? InPath[Name] : never } & { readonly [other: string]: unknown }
    : never
