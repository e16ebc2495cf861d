"""What the demo workspace is made of. Everything here is invented: the shop, its people, its customers."""

from dataclasses import dataclass, field

WORKSPACE = {"slug": "demo", "name": "Harbour Bikes (demo)", "time_zone": "Europe/Berlin"}
SOURCE = "desk"  # where the people's conversations are said to live
DEEP_LINK = "https://desk.example/conversations/{id}"

BILLING, START = "Billing", "Getting started"
CHANNELS = {"chat": 0.55, "email": 0.45}  # and their shares of the conversations


@dataclass(frozen=True)
class Voice:
    """An agent and how customers rate it: ratings a week, mean score 0..1, and the fall it is in (weeks, points of 100).

    `falling_on` is the channel that the whole fall comes from; without one it is spread over both. Who has risen was
    `risen_points` lower until `risen_weeks` ago.
    """

    name: str
    team: str
    weekly: float
    level: float
    falling_weeks: int = 0
    falling_points: int = 0
    falling_on: str = ""
    risen_weeks: int = 0
    risen_points: int = 0


PEOPLE = (
    Voice("Sarah", BILLING, 11, 0.93, falling_weeks=6, falling_points=24, falling_on="chat"),
    Voice("Joon", BILLING, 13, 0.90),
    Voice("Marta", BILLING, 15, 0.93),
    Voice("Priya", BILLING, 11, 0.88),
    Voice("Luca", BILLING, 12, 0.86),
    Voice("Hanna", BILLING, 8, 0.91),
    Voice("Tom", START, 10, 0.94),
    Voice("Ines", START, 1.4, 0.90),
    Voice("Mateo", START, 14, 0.89),
    Voice("Aiko", START, 12, 0.92),
    Voice("Noor", START, 9, 0.87),
    Voice("Felix", START, 15, 0.95, risen_weeks=9, risen_points=28),
)
REFUNDS, GUIDE = "Refunds assistant", "Onboarding guide"
ASSISTANTS = (
    Voice(REFUNDS, BILLING, 46, 0.91, falling_weeks=7, falling_points=16),
    Voice(GUIDE, START, 52, 0.91),
)

PROMPTS = {
    REFUNDS: """\
# Who you are

You answer customers of Harbour Bikes about payments, refunds and returns. You are friendly, brief and exact.

# How you work

- Always ask for the e-mail address of the order before you look it up.
- Look the order up before you promise anything.
- Refunds need an approval. Open a request and tell the customer that someone gets back to them.
- Never state a date that the order does not show.

# Tone

- Two or three sentences an answer.
- Say what you did and what happens next.
- Apologise once, not in every message.""",
    GUIDE: """\
# Who you are

You help new customers of Harbour Bikes to choose, assemble and register their bike.

# How you work

- Find out which bike it is and how far the customer has come.
- Give one step at a time and wait for the answer.
- Link the assembly guide of that bike only.
- Brakes that do not grip are always a case for a workshop: say so first.

# Tone

- Encouraging, plain words, no part numbers unless asked.""",
}

MEMORIES = {
    REFUNDS: (
        (
            "Refunds reach the customer's account 3 to 5 working days after they are started.",
            "Card and transfer alike. Wallet payments are back the same day.",
        ),
        (
            "Orders can be returned within 30 days of delivery, unused and with all parts.",
            "Worn tyres count as used. Helmets cannot be returned once the seal is broken.",
        ),
        (
            "Shipping costs are refunded only where the whole order is returned.",
            "The way back is free with the label from the customer's account.",
        ),
        ("Gift cards cannot be paid out, but they never expire.", "The balance stands under Account › Gift cards."),
        (
            "Invoices can be downloaded from the account for ten years.",
            "Account › Orders › Invoice. Company names can be changed within 14 days.",
        ),
        (
            "Orders above 2,000 € can be paid in three instalments without interest.",
            "Offered at the checkout only, not afterwards.",
        ),
    ),
    GUIDE: (
        (
            "Every bike is delivered with pedals, front wheel and handlebar to be mounted.",
            "Tools for that are in the box: a 15 mm spanner and two Allen keys.",
        ),
        (
            "The first inspection is free within 100 days of delivery.",
            "Book it under Account › Workshop. Later it costs 59 €.",
        ),
        (
            "Registering the frame number extends the warranty from two to five years.",
            "The number stands under the bottom bracket. Account › My bikes › Register.",
        ),
        (
            "The battery must be charged fully before the first ride.",
            "About four hours. The light stops blinking when it is full.",
        ),
        (
            "Holiday opening hours 2025: workshops are closed from 22 December to 6 January.",
            "The hotline is open throughout.",
        ),
    ),
}

# Written last by somebody who had not read the first one; it says otherwise.
CONTRADICTION = (
    "Orders can be returned within 14 days of delivery, unused and with all parts.",
    "From the leaflet in the parcel.",
)
EXPIRING = (
    "The spare parts counter is closed for stocktaking.",
    "Parts that are in stock are sent instead.",
    9,  # days
)

PROCEDURES = {
    REFUNDS: (
        ("Money back", "Refund a return", "A customer wants their money back for something they sent back.", "1. Look the order up.\n2. Check that the parcel has arrived.\n3. Open a refund request.\n4. Tell the customer that it takes 3 to 5 working days."),
        ("Money back", "Doubled charge", "A customer says that they were charged twice.", "1. Ask for the order number.\n2. Open a ticket for the payments team.\n3. Tell the customer that it can take a week."),
        ("Parcels", "Missing parcel", "A parcel is shown as delivered but did not arrive.", "1. Ask whether a neighbour has it.\n2. Wait two working days after the delivery.\n3. Open a search with the carrier."),
    ),
    GUIDE: (
        ("", "First assembly", "A customer has just unpacked a bike.", "1. Handlebar.\n2. Front wheel.\n3. Pedals, left one turns the other way.\n4. Brakes: pull both, they must hold."),
        ("", "Brakes do not grip", "Any word about brakes that slip, squeal or do not hold.", "1. Say that the bike must not be ridden.\n2. Offer the next free workshop date."),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Talk:
    """A conversation of an AI agent: days ago, stars, channel, and its turns as (role, text)."""

    key: str
    agent: str
    days_ago: int
    stars: int | None
    turns: tuple[tuple[str, str], ...]
    channel: str = "chat"
    memories: tuple[int, ...] = field(default=())


TALKS = (
    Talk("8841", REFUNDS, 2, 1, (
        ("customer", "I was charged twice for order W-4410. I want one of them back."),
        ("agent", "I'm sorry about that. Could you give me the e-mail on the order?"),
        ("customer", "It's the one I'm writing from."),
        ("agent", '[calls order_lookup({"order": "W-4410", "with": ["payments"]})]'),
        ("tool", 'order_lookup: {"order": "W-4410", "paid": "12 days ago", "payments": [{"amount": 39.00, "currency": "EUR"}, {"amount": 39.00, "currency": "EUR"}]}'),
        ("agent", "Thank you. I can see the order. I'll have to check whether we can do that, refunds usually need an approval."),
        ("customer", "It says 30 days, automatic, on your own page?"),
        ("agent", "I understand. I have opened a request and someone will get back to you."),
        ("customer", "That's the third time I hear that."),
    ), memories=(0, 1)),
    Talk("8790", REFUNDS, 4, 1, (
        ("customer", "Hi, where is my refund for the panniers? The parcel arrived at your place on Monday."),
        ("agent", "I'm sorry for the wait. Could you give me the e-mail on the order?"),
        ("customer", "You have it, I am logged in."),
        ("agent", "Thank you. Could you give me the e-mail on the order, so that I can look it up?"),
        ("customer", "Seriously?"),
        ("tool", "order_lookup: error: no e-mail given"),
        ("agent", "I'm sorry, I could not find the order. I have opened a request and someone will get back to you."),
    ), memories=(0,)),
    Talk("8755", REFUNDS, 6, 2, (
        ("customer", "Your shop took the money twice, 89 € each, order W-4371."),
        ("agent", "I'm sorry to hear that. Could you give me the order number?"),
        ("customer", "W-4371, I just wrote it."),
        ("agent", "Thank you. I have opened a ticket for the payments team. It can take a week."),
        ("customer", "A week for your mistake? Can you not see both payments?"),
        ("agent", "I understand. The payments team will look at it."),
    )),
    Talk("8702", REFUNDS, 9, 1, (
        ("customer", "I returned the helmet five days ago, unopened. Refund please."),
        ("agent", "Thank you for writing. Refunds need an approval. I have opened a request and someone will get back to you."),
        ("customer", "Which approval? Your page says returns within 30 days are refunded automatically."),
        ("agent", "I'm sorry, I cannot see that. Someone will get back to you."),
    ), channel="email"),
    Talk("8688", REFUNDS, 11, 4, (
        ("customer", "Can I still get an invoice for an order from 2021?"),
        ("agent", "Yes. You find it under Account › Orders › Invoice, for ten years."),
        ("customer", "Found it, thanks."),
    ), memories=(4,)),
    Talk("8640", REFUNDS, 15, 5, (
        ("customer", "How long does a refund to my card take?"),
        ("agent", "It is on your account 3 to 5 working days after we start it."),
        ("customer", "Perfect."),
    ), memories=(0,)),
    Talk("8601", REFUNDS, 19, 2, (
        ("customer", "Only one of two lights came back as refunded. Order W-4290."),
        ("agent", "Could you give me the e-mail on the order?"),
        ("customer", "same as always, the one of this account"),
        ("tool", "order_lookup: order W-4290 found, one of two items refunded"),
        ("agent", "One item is refunded. The other needs an approval. Someone will get back to you."),
        ("customer", "ok but when"),
    )),
    Talk("9102", GUIDE, 3, 5, (
        ("customer", "The bike is here! What first?"),
        ("agent", "Congratulations. First the handlebar: loosen the two bolts on the stem, set it straight, tighten them. Tell me when it is done."),
        ("customer", "Done."),
        ("agent", "Now the front wheel. Put it in, close the lever until it leaves a mark in your hand."),
        ("customer", "That was easy, thank you."),
    ), memories=(0,)),
    Talk("9088", GUIDE, 5, 2, (
        ("customer", "The left pedal does not go in. I am turning and turning."),
        ("agent", "Please turn the pedal clockwise until it is tight."),
        ("customer", "It does not grip at all."),
        ("agent", "Please turn it clockwise with a bit more force."),
        ("customer", "My neighbour says the left one turns the other way. Now the thread is damaged."),
    )),
    Talk("9051", GUIDE, 8, 4, (
        ("customer", "Where is the frame number?"),
        ("agent", "Under the bottom bracket, where the pedals' axle runs. With it you can register the bike for five years of warranty."),
        ("customer", "Thanks!"),
    ), memories=(2,)),
    Talk("9020", GUIDE, 12, 3, (
        ("customer", "When is the workshop in Kiel open between the years?"),
        ("agent", "Workshops are closed from 22 December to 6 January."),
        ("customer", "That is last year's note, the page shows other dates for this year."),
    ), memories=(4,)),
)  # fmt: skip

# What was said where the Refunds assistant was rated badly in its fall, in turn: {order} and {amount} are filled in.
COMPLAINTS = (
    (
        ("customer", "I sent back order {order} last week. When do I get my {amount} € back?"),
        ("agent", "Thank you for writing. Could you give me the e-mail on the order?"),
        ("customer", "It is the one of this account."),
        ("tool", "order_lookup: order {order} found, returned 6 days ago, {amount} € not refunded yet"),
        ("agent", "Refunds need an approval. I have opened a request and someone will get back to you."),
        ("customer", "I only want to know when."),
    ),
    (
        ("customer", "{amount} € were taken twice for {order}."),
        ("agent", "I'm sorry about that. Could you give me the e-mail on the order?"),
        ("customer", "Why? You can see who I am."),
        ("agent", "I need it to look the order up. Could you give me the e-mail on the order?"),
        ("customer", "Never mind, I will call my bank."),
    ),
    (
        ("customer", "The lock in {order} arrived broken. I would like the {amount} € back, not a new one."),
        ("agent", "I'm sorry to hear that. I have opened a request and someone will get back to you."),
        ("customer", "Your page says broken parts are refunded at once."),
        ("agent", "I understand. Refunds need an approval. Someone will get back to you."),
    ),
    (
        ("customer", "I cancelled {order} an hour after ordering and still paid {amount} €."),
        ("agent", "Could you give me the e-mail on the order?"),
        ("tool", "order_lookup: error: no e-mail given"),
        ("agent", "I could not find the order. I have opened a request and someone will get back to you."),
        ("customer", "The number is in my first message."),
    ),
    (
        ("customer", "Only part of {order} was refunded, {amount} € are missing."),
        ("tool", "order_lookup: order {order} found, two of three items refunded, {amount} € open"),
        ("agent", "Thank you for your patience. The rest needs an approval. Someone will get back to you."),
        ("customer", "That is what I was told on Monday."),
        ("agent", "I understand. I have opened a request."),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Coaching:
    """One question to the coach in the demo and what came of it: tool calls that propose, and the answer's words.

    `{memory:N}` in an input stands for the id of the agent's N-th memory, `{procedure:N}` for its N-th procedure's.
    """

    agent: str
    talk: str
    question: str
    answer: str
    calls: tuple[tuple[str, dict], ...]
    decision: str = ""  # approve or reject; empty: left pending
    words: str = ""  # of the decision
    focus: tuple[int, ...] = ()  # the turns that the question is about


COACHING = (
    Coaching(
        REFUNDS, "8688", "Add a memory that company names on invoices can be changed within 14 days.",
        "I proposed one memory with your words as its evidence.",
        (("propose_memory_entry_create", {
            "summary": "Company names on invoices can be changed within 14 days of the order.",
            "text": "Account › Orders › Invoice › Change recipient. Afterwards accounting has to do it.",
            "rationale": "You asked for it, and the entry about invoices mentions it only in passing.",
            "evidence": [{"message": True}],
        }),),
        "approve", "Checked with accounting.",
    ),
    Coaching(
        REFUNDS, "8601", "How can the agent improve?",
        "The customer got no date. I proposed to name one; whether dates may be promised is yours to decide.",
        (("propose_procedure_update", {
            "procedure": "{procedure:0}", "base_version": 1,
            "edits": [{"field": "content", "old": "Tell the customer that it takes 3 to 5 working days.", "new": "Promise the refund for the next working day."}],
            "rationale": "The customer asked when, and the answer had no date in it.",
            "evidence": [{"turn": 5, "quote": "ok but when"}],
        }),),
        "reject", "We cannot promise the next day: banks take 3 to 5.",
    ),
    Coaching(
        GUIDE, "9088", "What should it have known?",
        "The left pedal has a left-hand thread; the procedure says so, the answer did not. I proposed a memory that is found by the customer's words.",
        (("propose_memory_entry_create", {
            "summary": "The left pedal is screwed in anticlockwise; the right one clockwise.",
            "text": "Forcing the left pedal clockwise ruins the thread of the crank. If it does not grip, stop and turn the other way.",
            "rationale": "The agent told the customer to turn the left pedal clockwise, twice, and the thread was damaged.",
            "evidence": [{"turn": 1, "quote": "Please turn the pedal clockwise until it is tight."}],
        }),),
        "approve", "",
    ),
    Coaching(
        REFUNDS, "8841", "What should it have said here?",
        "It could have refunded at once: the order was 12 days old, and nothing the agent is told says that refunds within 30 days need no approval. I proposed a memory for that. Also seen: it asked for an e-mail that it had.",
        (("propose_memory_entry_create", {
            "summary": "Refunds within 30 days of purchase are processed automatically.",
            "text": "No approval and no ticket. Tell the customer that it arrives in 3 to 5 working days.",
            "rationale": "The customer had to ask three times; nothing tells the agent that refunds inside 30 days need no approval.",
            "evidence": [{"turn": 5, "quote": "refunds usually need an approval"}],
        }),),
        focus=(5,),
    ),
    Coaching(
        REFUNDS, "8790", "Why did it ask for the e-mail twice?",
        "The prompt tells it to ask always, also where the channel has given the address. I proposed to ask only where no order is found.",
        (("propose_prompt_change", {
            "base_version": 1,
            "edits": [{
                "old": "- Always ask for the e-mail address of the order before you look it up.",
                "new": "- Use the e-mail address of the conversation to look the order up.\n- Ask for another one only if no order is found under it.",
            }],
            "rationale": "It asked a signed-in customer for the e-mail address twice and then did not find the order.",
            "evidence": [{"turn": 3, "quote": "Could you give me the e-mail on the order, so that I can look it up?"}],
        }),),
    ),
    Coaching(
        REFUNDS, "8755", "What went wrong?",
        "The order number was in the first message and it asked for it again; then it sent the customer away for a week without looking at the payments. I proposed to look first.",
        (("propose_procedure_update", {
            "procedure": "{procedure:1}", "base_version": 1,
            "edits": [
                {"field": "content", "old": "1. Ask for the order number.", "new": "1. Take the order number from the message; ask only if there is none."},
                {"field": "content", "old": "2. Open a ticket for the payments team.\n3. Tell the customer that it can take a week.", "new": "2. Look both payments up.\n3. If both went through, refund the second at once and say so.\n4. Otherwise tell the customer that a reserved amount is released within a week."},
            ],
            "rationale": "The customer gave the order number in the first message, was asked for it again and then told to wait for a week.",
            "evidence": [
                {"turn": 1, "quote": "Could you give me the order number?"},
                {"turn": 3, "quote": "It can take a week."},
            ],
        }),),
    ),
    Coaching(
        GUIDE, "9020", "What should we change?",
        "It served last year's opening hours. I proposed to remove that memory; the dates of this year are for you to add.",
        (("propose_memory_entry_delete", {
            "memory": "{memory:4}", "base_version": 1,
            "rationale": "The entry is about 2025 and was served as if it were still true.",
            "evidence": [{"turn": 2, "quote": "That is last year's note"}],
        }),),
    ),
)  # fmt: skip

PROMPT_EDIT = (  # made by hand after the proposal about the e-mail address, which is therefore stale
    "- Apologise once, not in every message.",
    "- Apologise once, not in every message.\n- Use the customer's name if the account shows it.",
)


# What a model would have kept of the worst conversations, none of them the customer's own words. Sarah's in turn, the
# assistant's in the order of COMPLAINTS, the others by their key.
SAMPLE_SUMMARIES = {
    "Sarah": (
        "The customer was charged for a yearly plan they had cancelled. They got three apologies and no date for the money.",
        "A payment was declined twice. The chat ended with the advice to try again later; the cause was not looked up.",
        "The invoice showed the old company name. The customer was sent to a form that they had already filled in.",
        "An instalment was taken a week early. The answer apologised and closed the chat before the customer replied.",
        "The customer asked why the fee had changed. The answer repeated the price list without saying since when it holds.",
        "A refund had been promised for Friday. The chat named no new date and ended with an apology.",
        "A voucher was not accepted. After twelve minutes the customer was asked to write an email instead.",
        "The customer wanted two orders on one invoice. They were told that it cannot be done; the setting exists.",
        "A reminder came for an invoice that had been paid. The payment was found, the reminder was not withdrawn.",
        "The card on file had expired. The link that was sent led to the start page.",
        "The customer asked for a copy of a receipt and got the terms of payment.",
        "A doubled charge was confirmed. What happens next was left open and the chat was closed.",
        "The customer was handed over twice and had to give the order number each time.",
        "A discount was missing on the invoice. The answer said that it looks right, without naming the rule.",
        "The customer asked how long a transfer takes. The first answer came after nineteen minutes.",
        "A part of the order was cancelled, the whole amount was charged. The chat ended with an apology.",
        "The customer wanted to pay by instalments afterwards. The answer did not say that it is offered at the checkout only.",
        "A bank fee was asked about. The customer was told to ask the bank, which had sent them here.",
        "The tax number was missing on the invoice. It was promised for the same day and did not come.",
        "The customer asked for somebody else after the second apology. The chat was closed without handing over.",
    ),
    REFUNDS: (
        "The customer asked when a returned order is refunded. The assistant asked for an email that it had and opened a request, without a date.",
        "A doubled charge. The assistant asked twice for the email of a customer who was signed in; they gave up.",
        "A lock arrived broken. The assistant opened a request although broken parts are refunded at once.",
        "An order was cancelled within the hour and still charged. The assistant did not find it for want of an email.",
        "Part of an order was refunded. The assistant saw what was open and opened another request instead of refunding it.",
    ),
}  # fmt: skip
TALK_SUMMARIES = {
    "8841": "A doubled charge on an order 12 days old. The assistant found both payments, spoke of an approval and opened a request, the third for this customer.",
    "8790": "The customer asked for the refund of returned panniers. The assistant asked twice for an email that it had and did not find the order.",
    "8755": "A doubled charge. The assistant asked for the order number, which stood in the first message, and spoke of a week.",
    "8702": "An unopened helmet was returned in time. The assistant spoke of an approval that returns within 30 days do not need.",
    "8601": "One of two returned lights was refunded. The assistant opened a request for the other and named no date.",
}  # fmt: skip
# Pinned to talk about: the agent, the stars of the conversation, the days ago before which it is the newest, and its summary.
PINNED = (
    ("Tom", ("5",), 34, "The customer could not mount the left pedal. Tom sent the 40 second video, waited, and checked that it holds before he closed."),
    ("Tom", ("1", "2", "3"), 1, "The customer had asked about the battery before. The answer was right, but came after two days and did not mention the delay."),
)  # fmt: skip


@dataclass(frozen=True)
class NoteText:
    """A leader's note: on whom, by whom ("owner" or "admin"), days ago, follow-up in days (None: none), shared or not.

    A follow-up lies in the past where the days are negative; it is at nine in the morning. `first_words` are what it said before
    it was edited, `read_days_ago` when the person it is about said that they had read it, `on_sample` the place of its sample
    among the agent's, the worst first.
    """

    agent: str
    by: str
    days_ago: int
    body: str
    follow_up_in: int | None = None
    shared: bool = False
    on_sample: int | None = None
    first_words: str = ""
    read_days_ago: int | None = None
    followed_up: bool = False


NOTES = (
    NoteText("Sarah", "admin", 132, "Great recovery on the outage tickets: calm, and every customer heard back the same day.", shared=True),
    NoteText("Sarah", "owner", 3, "Three billing conversations this week ended with reset apologies. Let's role-play one in our 1:1.", follow_up_in=4, on_sample=0, first_words="Three billing conversations this week ended with apologies."),
    NoteText("Sarah", "owner", 2, "Asked for Tuesdays off until the end of the month. Ask how the new shift works for her.", follow_up_in=0),
    NoteText("Felix", "owner", 63, "Practised calls about workshop dates: first say what happens to the bike, then why, then the date. Once a week from now on.", follow_up_in=-35, followed_up=True),
    NoteText("Joon", "admin", 15, "Takes over the instalment questions from Hanna. Check in after two weeks.", follow_up_in=1),
    NoteText("Priya", "owner", 16, "Two customers waited over a weekend. Agree on who covers Saturdays.", follow_up_in=-2),
    NoteText("Tom", "admin", 34, "Your assembly walk-through by video solved the last five pedal cases. Would you show the team on Thursday?", shared=True, read_days_ago=33, on_sample=1),
    NoteText("Tom", "owner", 1, "The battery answer was right, it only came late. If you need the workshop first, tell the customer so on the same day.", shared=True, on_sample=0, follow_up_in=9),
    NoteText(REFUNDS, "owner", 5, "Falls since the new approval rule went live. Coach it on refunds inside 30 days before anything else.", follow_up_in=2),
)  # fmt: skip

INVITED = ("sarah@harbour-bikes.example", "Sarah")  # and their own row
TOKEN = ("Nightly ratings import", ("read", "write"), 90)  # what a script uses, and the days it lasts
