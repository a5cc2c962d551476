"""What a failed try leaves behind in the record of the call that another model answered: its attempt, nothing else."""

from tests.support.gateway_rig import SSE, Answer, Rig, failing, usage_event

from trimtab.core import NO_USAGE
from trimtab.core.errors import UpstreamError
from trimtab.gateway import UpstreamRequest

POLICY = 'policy: two\norganisation: {sensitivity: internal, mode: fixed, prefer: ["cloud:large", "cloud:middle"]}\n'


async def test_tokens_of_a_stream_that_never_began_are_not_those_of_the_model_that_answers() -> None:
    cut = Answer([usage_event(tokens_in=1000, tokens_out=1000), UpstreamError("cut")], headers=SSE)

    def script(request: UpstreamRequest) -> Answer:
        return cut if request.model == "large" else failing(400)

    outcome = await Rig(POLICY, script=script).call({"stream": True})

    assert outcome.tried == ["cloud:large", "cloud:middle"]
    assert outcome.call.model == "cloud:middle"
    assert (outcome.call.usage, outcome.call.cost_nano_usd, outcome.call.cost_source) == (NO_USAGE, None, "unpriced")
