// The frame's script: gives the element of the page its class.

import { FusionChatFrame } from "./element.ts";

customElements.define("fusion-chat-frame", FusionChatFrame);
