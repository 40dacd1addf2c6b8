import { currentCall } from '../context.js'
import { RowhouseRequest } from './request.js'

/**
 * The request of the current call, however many awaits later: each call sees its own.
 *
 * @throws Error, on reading any of its attributes, outside of a call
 */
export const request: RowhouseRequest = createFacade()

function createFacade(): RowhouseRequest {
  const attributes = Object.entries(Object.getOwnPropertyDescriptors(RowhouseRequest.prototype)).filter(([, descriptor]) => descriptor.get !== undefined)
  const facade = Object.create(
    null,
    Object.fromEntries(attributes.map(([name]) => [name, { enumerable: true, get: () => Reflect.get(requestOfCall(), name) as unknown }])),
  ) as unknown
  // It has every readable attribute of a request, made from the class's own list.
  return facade as RowhouseRequest
}

function requestOfCall(): RowhouseRequest {
  const call = currentCall()
  if (call === undefined) throw new Error('request is only available while an endpoint runs')
  return call.request
}
