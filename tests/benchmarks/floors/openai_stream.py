"""One streamed answer through the official client, at its least."""

from openai import OpenAI

client = OpenAI(max_retries=0)
for event in client.responses.create(model="gpt-5-mini", input="Hi", stream=True):
    if event.type == "response.output_text.delta":
        print(event.delta, end="", flush=True)
print()
