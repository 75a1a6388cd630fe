import './with-resolvers.ts'
import { TypedEventEmitter } from '@libp2p/interface'

/** js-libp2p's typed EventTarget, so that events here feel like those of a libp2p node. */
export class TypedEvents<Events extends object> extends TypedEventEmitter<Events & Record<string, unknown>> {}
