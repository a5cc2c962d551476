"""Routine work: sort, extract, normalise, summarise. Everything that is needed stands in the prompt."""

import random

from trimtab.lab.office.tasks import Drawn, Task, Wordings, arranged
from trimtab.lab.office.vocabulary import (
    CITIES,
    CURRENCIES,
    GOODS,
    counted,
    date_in_words,
    full_name,
    order_number,
    some_date,
)

_TROUBLES = {
    "billing": (
        "I was charged twice for the {good}",
        "the invoice for the {good} shows the wrong tax",
        "my card was charged before the {good} was sent",
        "the price on the invoice is not the price of the {good}",
    ),
    "delivery": (
        "the {good} has not arrived",
        "the courier left the {good} at the wrong door",
        "tracking says the {good} is still in the warehouse",
        "the parcel with the {good} is late",
    ),
    "defect": (
        "the {good} stopped working",
        "the {good} came with a crack",
        "the {good} makes a strange noise",
        "the {good} is broken",
    ),
    "returns": (
        "I want to send the {good} back",
        "I need a return label for the {good}",
        "how long can I return the {good}",
        "please take back the {good}",
    ),
    "account": (
        "I cannot log in to see the {good}",
        "please reset my password",
        "my account is locked",
        "please change the email of my account",
    ),
}
_URGENCY = {
    "low": ("no hurry at all", "whenever you find the time", "it can wait", "there is no rush"),
    "normal": ("please answer this week", "I would like to hear back soon", "in the next days is fine", "by Friday"),
    "high": ("I need this today", "this is urgent", "we cannot work until it is solved", "please call me right now"),
}
_GOODS_PARTS = ("{goods}", "we send {goods}", "it has {goods}", "there are {goods}")
_ORDER_PARTS = ("order {order}", "number {order}", "order number: {order}", "see {order}", "{order}", "about {order}")
_NAME_PARTS = ("for {name}", "customer {name}", "the customer is {name}", "{name} ordered", "contact: {name}")
_CITY_PARTS = ("to {city}", "{city}", "address: {city}", "it goes to {city}", "in {city}")
_STATE_PARTS = ("{state}", "invoice {state}", "the order is {state}", "state: {state}")
_STATES = ("paid", "open", "late", "on hold")


def _category(dice: random.Random) -> Drawn:
    label = dice.choice(sorted(_TROUBLES))
    trouble = dice.choice(_TROUBLES[label]).format(good=dice.choice(GOODS))
    return Drawn(slots=_letter(dice, trouble), expected=label)


def _urgency(dice: random.Random) -> Drawn:
    label = dice.choice(sorted(_URGENCY))
    trouble = dice.choice(_TROUBLES[dice.choice(sorted(_TROUBLES))]).format(good=dice.choice(GOODS))
    return Drawn(slots={**_letter(dice, trouble), "urgency": dice.choice(_URGENCY[label])}, expected=label)


def _letter(dice: random.Random, trouble: str) -> dict[str, str]:
    return {
        "trouble": trouble,
        "Trouble": trouble[0].upper() + trouble[1:],
        "name": full_name(dice),
        "order": order_number(dice),
        "city": dice.choice(CITIES),
    }


def _order(dice: random.Random) -> Drawn:
    slots = {
        "name": full_name(dice),
        "order": order_number(dice),
        "city": dice.choice(CITIES),
        "goods": counted(dice.randint(2, 99), dice.choice(GOODS)),
    }
    expected = f"name: {slots['name']}; order: {slots['order']}; city: {slots['city']}"
    return Drawn(slots=slots, expected=expected)


def _date(dice: random.Random) -> Drawn:
    day = some_date(dice)
    slots = {"date": date_in_words(day, dice), "order": order_number(dice), "name": full_name(dice)}
    return Drawn(slots=slots, expected=day.isoformat())


def _amount(dice: random.Random) -> Drawn:
    units, cents, currency = dice.randrange(10, 10_000), dice.choice((0, 25, 50, 75, 90, 99)), dice.choice(CURRENCIES)
    written = f"{units:,}.{cents:02d}"
    shown = dice.choice((f"{currency} {written}", f"{written} {currency}", f"{units}.{cents:02d} {currency}"))
    slots = {"amount": shown, "order": order_number(dice), "name": full_name(dice), "good": dice.choice(GOODS)}
    return Drawn(slots=slots, expected=f"{currency} {units}.{cents:02d}")


def _summary(dice: random.Random) -> Drawn:
    goods = counted(dice.randint(2, 99), dice.choice(GOODS))
    name, city, order, state = full_name(dice), dice.choice(CITIES), order_number(dice), dice.choice(_STATES)
    return Drawn(
        slots={"goods": goods, "name": name, "city": city, "order": order, "state": state},
        expected=f"Order {order}: {goods} for {name}, {city}, {state}.",
    )


ROUTINE_TASKS = (
    Task(
        name="ticket-category",
        stratum="routine",
        task_type="classification",
        draw=_category,
        train=Wordings(
            asks=(
                "Classify the ticket as account, billing, defect, delivery or returns.",
                "Which category is this message? Classify: billing, delivery, returns, defect, account.",
                "Classify this customer message by topic: defect, returns, account, delivery or billing.",
                "Please categorise the ticket. Topics: account, billing, defect, delivery, returns.",
                "Categorise this email: billing, account, returns, delivery or defect.",
                "Triage the message below into delivery, defect, account, billing or returns.",
                "Label the ticket with its topic (account, billing, defect, delivery, returns).",
            ),
            texts=(
                "Hello, {trouble}. Regards, {name}",
                "{name} writes: {trouble}.",
                "Subject: order {order}. {Trouble}. Thank you.",
                "{Trouble}. My order is {order}.",
                "Good morning, I am {name} from {city} and {trouble}.",
                "Order {order}: {trouble}.",
                "Dear team, {trouble}, order {order}. Kind regards, {name}",
                "Call from {city}: {trouble}.",
                "Hi, {trouble}. Can you help? {name}, {city}",
                "Message of {name}, order {order}: {trouble}. Please help.",
            ),
        ),
        test=Wordings(
            asks=(
                "Classify the customer email: account, billing, defect, delivery or returns.",
                "Triage this ticket by topic: returns, delivery, defect, billing or account.",
                "Please classify the message below. Topics: billing, defect, account, returns, delivery.",
            ),
            texts=(
                "Dear team, {name} here. {Trouble}. Thank you, order {order}.",
                "Email from {city}: Hello, {trouble}.",
                "{name}, {city}: {Trouble}. Order {order}.",
                "Good morning, my order is {order} and {trouble}. Can you help?",
            ),
        ),
    ),
    Task(
        name="ticket-urgency",
        stratum="routine",
        task_type="classification",
        draw=_urgency,
        train=Wordings(
            asks=(
                "Classify the urgency of the ticket: low, normal or high.",
                "Categorise by urgency (high, normal, low).",
                "How urgent is this message? Classify as normal, low or high.",
                "Triage the email below: high, low or normal urgency.",
                "Label the message with its urgency: low, normal, high.",
                "Please classify how urgent the customer is: high, normal or low.",
            ),
            texts=(
                "Hello, {trouble}; {urgency}. {name}",
                "{Trouble}, {urgency}. Order {order}.",
                "{name} from {city} writes: {trouble}. And: {urgency}.",
                "Order {order}: {trouble}, {urgency}.",
                "Dear team, {trouble}. Regards, {name}. PS: {urgency}.",
                "Subject: {urgency}. {Trouble}.",
                "Call from {city}: {trouble}, {urgency}.",
                "Hi, {urgency}: {trouble}. Thank you, {name}",
            ),
        ),
        test=Wordings(
            asks=(
                "Classify the urgency of this email: high, normal or low.",
                "Please triage the ticket by urgency (low, normal, high).",
                "Label this customer message: normal, high or low urgency.",
            ),
            texts=(
                "Good morning, {trouble}, order {order}; {urgency}.",
                "{name}: {Trouble}. {urgency}, thank you.",
                "Email from {city}: {trouble}. PS: {urgency}. Regards, {name}",
            ),
        ),
    ),
    Task(
        name="order-fields",
        stratum="routine",
        task_type="extraction",
        draw=_order,
        train=Wordings(
            asks=(
                "Extract name, order and city.",
                "Extract the customer's name, the order number and the city, with labels.",
                "From the note below, extract the fields name, order, city.",
                "Extract with labels: name, order and city.",
                "Please extract who, which order and where to: name, order, city.",
                "Read the message and extract name, order, city. Labels and values only.",
            ),
            texts=(
                *arranged((_GOODS_PARTS, _ORDER_PARTS, _NAME_PARTS, _CITY_PARTS), 60),
                "{name} from {city} ordered {goods}, number {order}.",
                "Order {order}: {goods} for {name}, to be sent to {city}.",
                "Please send {goods} to {city}. The order is {order}, the customer {name}.",
                "Hello, this is {name}. My order {order} with {goods} goes to {city}.",
                "{city}, {goods}. Customer: {name}. Order number: {order}.",
                "We have {goods} for {city} in {order}; contact is {name}.",
                "{order} / {name} / {city} / {goods}",
                "Number {order} was ordered by {name}: {goods}. Address in {city}.",
                "The parcel to {city} has {goods}. It belongs to {name}, order {order}.",
                "Customer {name} asks about {order} ({goods}, {city}).",
                "{goods} go to {name} in {city}. Order number: {order}.",
                "Contact {name} in {city} about order {order}, {goods}.",
                "Order {order} goes to {city}. Contact: {name}. It has {goods}.",
                "We send {goods} for order {order} to {name}, address {city}.",
                "{name}, {city}: please read order {order}, {goods}.",
                "From {city}, {name} ordered {goods}. Order: {order}.",
                "The order of {name} is {order}. It has {goods} for {city}.",
                "{goods} were sent to {city} for {name}; number {order}.",
                "Customer: {name}. Address: {city}. Number: {order}. {goods}.",
                "{order}: {goods}, customer {name}, address in {city}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the name, the order and the city from this message, with labels.",
                "Please extract name, order number and city. Labels and values only.",
                "From this note, extract the fields: name, order, city.",
            ),
            texts=(
                "Hello, the order {order} of {name} has {goods} and goes to {city}.",
                "{goods} were ordered by {name} from {city}. Number: {order}.",
                "Contact: {name}, {city}. We send {goods}, order number {order}.",
                "Please read {order}: customer {name}, {goods}, address {city}.",
            ),
        ),
    ),
    Task(
        name="plain-date",
        stratum="routine",
        task_type="extraction",
        draw=_date,
        train=Wordings(
            asks=(
                "Extract the date as YYYY-MM-DD.",
                "Extract the day in the form YYYY-MM-DD.",
                "Please extract the date. Format: YYYY-MM-DD.",
                "Which date is named? Extract it as YYYY-MM-DD.",
                "Extract the date below and write it as YYYY-MM-DD.",
                "From the note, extract the date (YYYY-MM-DD).",
            ),
            texts=(
                "The invoice {order} is of {date}.",
                "{name} comes on {date}.",
                "On {date} we received the letter of {name}.",
                "Order {order} was sent on {date}.",
                "Date: {date}. Order: {order}.",
                "{name} signed the contract on {date}.",
                "Please pay before {date}, invoice {order}.",
                "Meeting with {name}: {date}.",
                "{date}, order {order}",
                "The contract {order} of {name} ends on {date}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the date of this note as YYYY-MM-DD.",
                "Please extract the day and write it in the form YYYY-MM-DD.",
                "From the letter, extract the date. YYYY-MM-DD.",
            ),
            texts=(
                "We received order {order} of {name} on {date}.",
                "The meeting is on {date}. Please contact {name}.",
                "{name} signed on {date}, see {order}.",
                "Invoice: {order}. Sent: {date}.",
            ),
        ),
    ),
    Task(
        name="plain-amount",
        stratum="routine",
        task_type="extraction",
        draw=_amount,
        train=Wordings(
            asks=(
                "Extract the amount as currency and plain number.",
                "Extract the price: currency first, no commas.",
                "Please extract the amount. Write the currency, then the number.",
                "Which amount is named? Extract currency and number.",
                "From the note, extract the amount: currency, then number without commas.",
                "Extract the sum below as currency and number.",
            ),
            texts=(
                "The invoice {order} is over {amount}.",
                "{name} paid {amount} for the {good}.",
                "Amount: {amount}. Order: {order}.",
                "We offer the {good} at {amount}.",
                "Order {order} of {name}, {amount}.",
                "The {good} costs {amount}, please pay soon.",
                "{amount} for {name}, see {order}.",
                "Please send {amount} to {name}.",
                "For order {order} we received {amount}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Extract the amount from this note: currency, then plain number.",
                "Please extract the price as currency and number without commas.",
                "Extract the sum. Write the currency first, then the number.",
            ),
            texts=(
                "We received {amount} of {name} for the {good}.",
                "Invoice {order}: the amount is {amount}.",
                "{name} offers a {good} at {amount}, order {order}.",
            ),
        ),
    ),
    Task(
        name="order-summary",
        stratum="routine",
        task_type="summarisation",
        draw=_summary,
        train=Wordings(
            asks=(
                "Summarise the order in one line.",
                "Give a one-line summary of the order. Summarise number, goods, customer, city, state.",
                "Summarise the note below in our short form.",
                "Please summarise: number, goods, customer, city, state.",
                "Summarise this order for the list.",
                "Condense the note into one line.",
            ),
            texts=(
                *arranged((_GOODS_PARTS, _ORDER_PARTS, _NAME_PARTS, _CITY_PARTS, _STATE_PARTS), 60),
                "{name} from {city} ordered {goods}. The number is {order}, the invoice is {state}.",
                "Order {order} is {state}. It has {goods}, and goes to {name} in {city}.",
                "The invoice for {goods} is {state}. Customer: {name}, {city}. Order: {order}.",
                "We send {goods} to {city}; the customer is {name}, the order {order} is {state}.",
                "{order}: {name} in {city} wants {goods}. State: {state}.",
                "State {state}: {goods}, order {order}, customer {name} from {city}.",
                "In {city}, {name} waits for {goods} of order {order}, which is {state}.",
                "Customer {name} called about {order}. The {goods} go to {city}. The order is {state}.",
                "{name} ordered {goods} for {city}. Order {order}; the invoice is {state}.",
                "We have order {order} from {name}, {city}: {goods}. It is {state}.",
                "{city}, order {order}: {goods}, customer {name}, {state}.",
                "The order {order} of {name} goes to {city}. It has {goods} and is {state}.",
                "{goods} for {city}. {name} ordered with number {order}; state {state}.",
                "Invoice {state}: {name}, {city}, {goods}. Number {order}.",
                "The customer in {city} is {name}. We send {goods}. Number: {order}, {state}.",
                "{name}: {goods} to {city}, number {order}, {state}.",
                "Order {order} goes to {city} and is {state}. The customer {name} ordered {goods}.",
                "For {name} in {city} we have order {order}: {goods}; {state}.",
                "{goods}, {state}. For {name}, {city}. Order {order}.",
                "{state}: order {order} for {name}. We send {goods} to {city}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Summarise this note in one line.",
                "Please summarise the order below for our list.",
                "Condense this order in our short form: number, goods, customer, city, state.",
            ),
            texts=(
                "The customer {name} in {city} ordered {goods}; order {order} is {state}.",
                "We have {goods} for {name}. The order {order} goes to {city} and is {state}.",
                "{city}: {goods} for {name}. Number {order}, invoice {state}.",
            ),
        ),
    ),
)
