import type { startApp } from './app.js'

/** The three ways in which an error is told, by what a client accepts. */
export const dresses = { text: 'text/plain', json: 'application/json', html: 'text/html' } as const

/** The name of such a way. */
export type Dress = keyof typeof dresses

/** A request by its parts. */
export interface Asked {
  /** `POST /tasks?x=1`. */
  readonly line: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** All of them by default. */
  readonly only?: readonly Dress[]
}

/** What is no request that a client would make: the bytes for a value of `Accept`, as Latin-1. */
export interface RawAsked {
  readonly raw: (accept: string) => string
  /** How long the server may take, in milliseconds. */
  readonly patience?: number
}

/** Requests, each with a name that says what is wrong with it. */
export type Cases = Readonly<Record<string, Asked | RawAsked>>

/** A tap test. */
export type Test = Parameters<typeof startApp>[0]

/** An app, and requests that it refuses or fails. */
export interface FailingApp {
  readonly port: number
  readonly cases: Cases
}

export const api = '/_/api'
export const jsonType = { 'content-type': 'application/json' }
const formType = { 'content-type': 'application/x-www-form-urlencoded' }
const multipart = { 'content-type': 'multipart/form-data; boundary=x' }

export const get = (path: string, headers: Asked['headers'] = {}): Asked => ({ line: `GET ${path}`, headers })
export const sent = (path: string, body: unknown, method = 'POST', headers: Asked['headers'] = {}): Asked => ({
  line: `${method} ${path}`,
  headers: { ...jsonType, ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
export const form = (path: string, body: string): Asked => ({ line: `POST ${path}`, headers: formType, body })
/** A multipart form of parts that are written out, headers and content. */
export const parts = (path: string, ...written: string[]): Asked => ({
  line: `POST ${path}`,
  headers: multipart,
  body: `${written.map((part) => `--x\r\n${part}\r\n`).join('')}--x--\r\n`,
})
export const whole = (path: string, contentType: string, body: string): Asked => ({
  line: `POST ${path}`,
  headers: { 'content-type': contentType },
  body,
})
/** Header lines of a request that is written out. */
export const raw = (...lines: string[]): RawAsked => ({
  raw: (accept) => `${[...lines, `accept: ${accept}`].join('\r\n')}\r\n\r\n`,
})
