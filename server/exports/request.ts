import { currentCall } from '../call/call.js'
import { CommonRequest } from '../http/request/common-request.js'
import { RowhouseRequest } from '../http/request/request.js'

/**
 * The request of the current call, however many awaits later: each call sees its own.
 *
 * @throws Error, on reading any of its attributes or calling any of its methods, outside of a call
 */
export const request: RowhouseRequest = createFacade()

function createFacade(): RowhouseRequest {
  const members = [CommonRequest, RowhouseRequest].flatMap(({ prototype }) => Object.entries(Object.getOwnPropertyDescriptors(prototype)))
  const properties = members.filter(([name]) => name !== 'constructor').map(([name, { get }]) => [name, get === undefined ? methodOfCall(name) : attributeOfCall(name)])
  const facade = Object.create(null, Object.fromEntries(properties) as PropertyDescriptorMap) as unknown
  // It has every attribute and method of a request, made from the classes' own lists.
  return facade as RowhouseRequest
}

function attributeOfCall(name: string): PropertyDescriptor {
  return { enumerable: true, get: () => Reflect.get(requestOfCall(), name) as unknown }
}

function methodOfCall(name: string): PropertyDescriptor {
  const method = (...args: unknown[]): unknown => {
    const current = requestOfCall()
    return Reflect.apply(Reflect.get(current, name) as (...args: unknown[]) => unknown, current, args)
  }
  return { enumerable: true, value: method }
}

function requestOfCall(): RowhouseRequest {
  const current = currentCall()?.request ?? null
  if (current === null) throw new Error('request is only available while an endpoint runs')
  return current
}
