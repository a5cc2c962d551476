"""From configuration to a provider."""

from trimtab.core import Clock
from trimtab.gateway import Provider
from trimtab.providers.config import ProviderConfig


def build_provider(config: ProviderConfig, *, clock: Clock | None = None) -> Provider:
    """Return the provider that ``config.kind`` names. Opens no connection; ``recorded`` reads its file.

    Args:
        config: One upstream.
        clock: Time for breakers and cool-downs; the machine's when left out.

    Raises:
        ConfigurationError: the file of recorded outcomes cannot be used.
    """
    if config.kind == "anthropic":
        from trimtab.providers.anthropic import AnthropicProvider

        return AnthropicProvider(config, clock=clock)
    if config.kind == "recorded":
        from trimtab.providers.recorded import RecordedProvider

        return RecordedProvider(config, clock=clock)
    from trimtab.providers.openai import OpenAICompatibleProvider

    return OpenAICompatibleProvider(config, clock=clock)
