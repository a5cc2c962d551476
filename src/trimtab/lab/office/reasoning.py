"""Reasoning work: totals, discounts, stock, dates, times and comparisons, each answered with its steps."""

import datetime as dt
import random

from trimtab.lab.office.tasks import Drawn, Task, Wordings
from trimtab.lab.office.vocabulary import (
    CITIES,
    GOODS,
    SUPPLIERS,
    clock,
    counted,
    date_in_words,
    full_name,
    order_number,
    some_date,
)


def _basket(dice: random.Random) -> Drawn:
    lines = [(dice.randint(2, 6), good, dice.randint(2, 9)) for good in dice.sample(GOODS, 2)]
    slots = {
        f"{key}{place}": value
        for place, (number, good, price) in enumerate(lines, start=1)
        for key, value in {"goods": counted(number, good), "price": str(price)}.items()
    }
    first, second = (number * price for number, _, price in lines)
    steps = [f"{number} x {price} = {number * price}" for number, _, price in lines]
    return Drawn(
        slots={**slots, **_people(dice)}, expected=f"{'; '.join(steps)}; {first} + {second} = {first + second}"
    )


def _discount(dice: random.Random) -> Drawn:
    number, price, percent = dice.randint(2, 9), dice.randrange(20, 101, 20), dice.choice((5, 10, 15, 20, 25, 50))
    slots = {"goods": counted(number, dice.choice(GOODS)), "price": str(price), "percent": str(percent)}
    full = number * price
    less = full * percent // 100
    steps = f"{number} x {price} = {full}; {percent} % of {full} = {less}; {full} - {less} = {full - less}"
    return Drawn(slots={**slots, **_people(dice)}, expected=steps)


def _stock(dice: random.Random) -> Drawn:
    start, sold, delivered = dice.randrange(40, 121, 10), dice.randint(11, 39), dice.randrange(10, 51, 10)
    slots = {
        "start": str(start),
        "sold": str(sold),
        "delivered": str(delivered),
        "goods": dice.choice(GOODS) + "s",
    }
    kept = start - sold
    steps = f"{start} - {sold} = {kept}; {kept} + {delivered} = {kept + delivered}"
    return Drawn(slots={**slots, **_people(dice)}, expected=steps)


def _due(dice: random.Random) -> Drawn:
    day, n_days = some_date(dice), dice.choice((7, 14, 30))
    slots = {"date": date_in_words(day, dice), "days": str(n_days)}
    return Drawn(slots={**slots, **_people(dice)}, expected=f"{day} + {n_days} = {day + dt.timedelta(days=n_days)}")


def _offers(dice: random.Random) -> Drawn:
    number, names = dice.randint(2, 6), dice.sample(SUPPLIERS, 2)
    while True:
        offers = {name: (dice.randint(5, 9), dice.randrange(5, 25, 5)) for name in names}
        totals = {name: number * price + shipping for name, (price, shipping) in offers.items()}
        if len(set(totals.values())) == len(totals):
            break
    slots = {
        f"{key}{place}": value
        for place, (name, (price, shipping)) in enumerate(offers.items(), start=1)
        for key, value in {"who": name, "price": str(price), "shipping": str(shipping)}.items()
    }
    best = min(totals, key=totals.__getitem__)
    steps = [
        f"{number} x {price} = {number * price}; {number * price} + {shipping} = {totals[name]}"
        for name, (price, shipping) in offers.items()
    ]
    steps += [f"{name} {total}" for name, total in totals.items()]
    return Drawn(
        slots={**slots, "goods": counted(number, dice.choice(GOODS)), **_people(dice)},
        expected=f"{'; '.join(steps)}; {best}",
    )


def _shift(dice: random.Random) -> Drawn:
    begin, minutes, pause = (
        dice.randrange(6 * 60, 11 * 60, 15),
        dice.randrange(4 * 60, 10 * 60, 15),
        15 * dice.randint(1, 3),
    )
    slots = {"begin": clock(begin), "end": clock(begin + minutes), "pause": str(pause)}
    steps = f"{clock(begin)} to {clock(begin + minutes)} = {clock(minutes)}; {clock(minutes)} - {clock(pause)} = "
    return Drawn(slots={**slots, **_people(dice)}, expected=f"{steps}{clock(minutes - pause)}")


def _people(dice: random.Random) -> dict[str, str]:
    return {"name": full_name(dice), "order": order_number(dice), "city": dice.choice(CITIES)}


REASONING_TASKS = (
    Task(
        name="basket-total",
        stratum="reasoning",
        task_type="math",
        draw=_basket,
        train=Wordings(
            asks=(
                "Calculate the total of the order.",
                "Calculate the sum of all lines.",
                "Compute the total price.",
                "Please calculate the total, line by line.",
                "Compute the sum of the invoice below.",
                "Calculate the amount to pay in total.",
            ),
            texts=(
                "{goods1} at {price1}, {goods2} at {price2}",
                "{name} ordered {goods1} at {price1} each and {goods2} at {price2} each.",
                "Order {order}: {goods1} ({price1} each), {goods2} ({price2} each).",
                "We send {goods1} at {price1} and {goods2} at {price2} to {city}.",
                "Lines: {goods1}, price {price1}; {goods2}, price {price2}.",
                "Invoice {order} for {name}: {goods1} at {price1}; {goods2} at {price2}.",
                "The customer wants {goods1} for {price1} each, and {goods2} for {price2} each.",
                "{city}: {goods1}, {price1} each; {goods2}, {price2} each.",
                "{name} ordered {goods1} at {price1}, and {goods2} at {price2}.",
                "Order of {name}: {goods1} for {price1} each and {goods2} for {price2} each.",
                "{goods1} ({price1} each) and {goods2} ({price2} each) for {city}",
                "Invoice {order}: {goods1} at {price1} each and {goods2} at {price2} each.",
                "{city} wants {goods1}, price {price1}, and {goods2}, price {price2}.",
                "The order has {goods1} at {price1} each; also {goods2} at {price2} each.",
            ),
        ),
        test=Wordings(
            asks=(
                "Calculate the total price of the lines below.",
                "Please compute the total of this order.",
                "Compute the sum to pay, line by line.",
            ),
            texts=(
                "Invoice for {city}: {goods1} at {price1} each, {goods2} at {price2} each.",
                "{name} wants {goods1} at {price1} and {goods2} at {price2}.",
                "Order {order} has {goods1} for {price1} each and {goods2} for {price2} each.",
            ),
        ),
    ),
    Task(
        name="discounted-total",
        stratum="reasoning",
        task_type="math",
        draw=_discount,
        train=Wordings(
            asks=(
                "Calculate the price after the discount.",
                "Compute the total with discount.",
                "Calculate the total less the discount, in steps.",
                "Please calculate the sum to pay after the discount.",
                "Compute the discounted amount.",
                "Calculate the discounted total.",
            ),
            texts=(
                "{goods} at {price} each, {percent} % off",
                "{name} gets {percent} % off {goods} at {price} each.",
                "Order {order}: {goods}, price {price}, discount {percent} %.",
                "Discount of {percent} %: {goods} at {price}.",
                "We offer {goods} for {price} each, less {percent} %.",
                "{city} ordered {goods} at {price} each; the discount is {percent} %.",
                "Price {price}, {goods}, less {percent} % for {name}.",
                "The customer pays {price} each for {goods} and has {percent} % discount.",
                "{name}: {goods} at {price} each, discount {percent} %.",
                "{percent} % off for {city}: {goods}, {price} each.",
                "Order {order} of {name}, {goods} at {price}, less {percent} % discount.",
                "We offer {name} {percent} % off {goods}; the price is {price} each.",
                "{goods} for {city} at {price} each with a discount of {percent} %.",
                "{name} wants {goods}, price {price} each, {percent} % off.",
            ),
        ),
        test=Wordings(
            asks=(
                "Please compute the total after discount.",
                "Calculate the discounted price, in steps.",
                "Compute the sum to pay less the discount.",
            ),
            texts=(
                "{name} ordered {goods} at {price} each, less {percent} % discount.",
                "Order {order}: {percent} % off {goods}, price {price} each.",
                "We offer {city} a discount of {percent} % for {goods} at {price}.",
            ),
        ),
    ),
    Task(
        name="stock-left",
        stratum="reasoning",
        task_type="math",
        draw=_stock,
        train=Wordings(
            asks=(
                "How many {goods} are left in stock?",
                "Calculate the stock of {goods} now.",
                "How many {goods} do we have left?",
                "Compute the number of {goods} in the warehouse.",
                "Calculate how many {goods} are left.",
                "Please tell me how many {goods} we have left now.",
            ),
            texts=(
                "We had {start}, sold {sold} and received {delivered}.",
                "Start: {start}. Sold: {sold}. Received: {delivered}.",
                "{name} counted {start}. Then {sold} were sold and {delivered} came in.",
                "{city}: {start} at the start, {sold} sold, {delivered} delivered.",
                "There were {start}; {sold} went out and {delivered} came in.",
                "Of {start} we sold {sold}. The courier delivered {delivered} more.",
                "Stock {start}, less {sold} sold, plus {delivered} received.",
                "First {start}, then {sold} out, then {delivered} in.",
                "{name} had {start} in stock, sold {sold} and received {delivered}.",
                "At the start {start}. Sold {sold}, delivered {delivered}.",
                "The warehouse in {city} counted {start}; {sold} went out, {delivered} came in.",
                "There were {start} at the start, then {sold} sold. Received: {delivered}.",
                "{city} had {start}. The courier took {sold} and delivered {delivered}.",
                "We counted {start}, then sold {sold}; {name} delivered {delivered} more.",
            ),
        ),
        test=Wordings(
            asks=(
                "How many {goods} are left in the warehouse now?",
                "Please calculate how many {goods} we have in stock.",
                "Compute the stock of {goods}.",
            ),
            texts=(
                "{name} had {start} at the start, sold {sold}, received {delivered}.",
                "{city} counted {start}; then {sold} sold and {delivered} delivered.",
                "There were {start} in stock. {sold} went out. The courier delivered {delivered}.",
            ),
        ),
    ),
    Task(
        name="due-date",
        stratum="reasoning",
        task_type="reasoning",
        draw=_due,
        train=Wordings(
            asks=(
                "Work out step by step: which date is the last day to pay? YYYY-MM-DD.",
                "Analyse the note: when is the payment due? YYYY-MM-DD.",
                "Reason through the terms and give the due date as YYYY-MM-DD.",
                "Analyse until when to pay (YYYY-MM-DD).",
                "Step by step: on which date is the invoice due? YYYY-MM-DD.",
                "Reason carefully: what is the due date? YYYY-MM-DD.",
            ),
            texts=(
                "Invoice of {date}, payable in {days} days.",
                "{name} received the invoice on {date} and has {days} days.",
                "Order {order}, {date}. Terms: {days} days.",
                "The invoice {order} was sent on {date}; pay in {days} days.",
                "Date: {date}. To pay after {days} days at most.",
                "{days} days from {date}, invoice {order}.",
                "{city} has {days} days to pay; the invoice is of {date}.",
                "Terms are {days} days. The invoice of {name} is of {date}.",
                "The invoice of {date} is payable in {days} days, {name}.",
                "{name}, {city}: invoice of {date}, terms {days} days.",
                "Invoice {order} was received on {date}. There are {days} days to pay.",
                "{city} received it on {date}; terms: {days} days to pay.",
                "Invoice: {order}. Sent: {date}. Payable in {days} days.",
            ),
        ),
        test=Wordings(
            asks=(
                "Analyse the terms: which date is the due date? YYYY-MM-DD.",
                "Step by step: when is the invoice due? YYYY-MM-DD.",
                "Reason through the note: what is the last day to pay? YYYY-MM-DD.",
            ),
            texts=(
                "The invoice of {name} was sent on {date}. Terms: {days} days.",
                "Invoice {order} of {date}: {days} days to pay.",
                "{city} received the invoice on {date}, payable in {days} days.",
            ),
        ),
    ),
    Task(
        name="best-offer",
        stratum="reasoning",
        task_type="reasoning",
        draw=_offers,
        train=Wordings(
            asks=(
                "Analyse the offers: give both totals for {goods} and who is cheaper.",
                "Compare and contrast the offers for {goods}. Give both totals and the cheaper one.",
                "Analyse which supplier is best for {goods}. Both totals first.",
                "Reason through both offers for {goods}: totals, then the cheaper supplier.",
                "Step by step: which offer for {goods} costs less?",
                "We need {goods}. Analyse the totals and name the best supplier.",
            ),
            texts=(
                "{who1}: {price1} each plus {shipping1} shipping. {who2}: {price2} each plus {shipping2} shipping.",
                "{who1} asks {price1} each and {shipping1} for shipping, {who2} {price2} each and {shipping2}.",
                "{who1} {price1} + {shipping1}; {who2} {price2} + {shipping2}",
                "Offer of {who1}: price {price1}, shipping {shipping1}. Offer of {who2}: price {price2}, shipping "
                "{shipping2}.",
                "{who1} sends at {price1} each, {shipping1} shipping; {who2} at {price2} each, {shipping2} shipping.",
                "{name} has two offers: {who1}, {price1} each, shipping {shipping1}; {who2}, {price2} each, shipping "
                "{shipping2}.",
                "{who1}: price {price1}, {shipping1} shipping. {who2}: price {price2}, {shipping2} shipping.",
                "{city} has offers of {who1} ({price1} each, shipping {shipping1}) and {who2} ({price2} each, shipping "
                "{shipping2}).",
                "Offers: {who1} at {price1} plus {shipping1} shipping, {who2} at {price2} plus {shipping2} shipping.",
                "{who1} asks {price1} each, shipping {shipping1}; {who2} asks {price2} each, shipping {shipping2}.",
            ),
        ),
        test=Wordings(
            asks=(
                "Analyse both offers for {goods}: totals first, then the cheaper supplier.",
                "Step by step: who is best for {goods}? Give both totals.",
                "Reason through the totals. Which supplier costs less for {goods}?",
            ),
            texts=(
                "{who1} asks {price1} each plus {shipping1} shipping; {who2} {price2} each plus {shipping2} shipping.",
                "Offers: {who1}, price {price1}, shipping {shipping1}; {who2}, price {price2}, shipping {shipping2}.",
                "{name} of {city} has {who1}: {price1} each, {shipping1} shipping. {who2}: {price2} each, {shipping2} "
                "shipping.",
            ),
        ),
    ),
    Task(
        name="worked-time",
        stratum="reasoning",
        task_type="math",
        draw=_shift,
        train=Wordings(
            asks=(
                "Calculate the working time.",
                "Compute the hours worked (H:MM).",
                "Calculate the time that {name} worked.",
                "Please calculate the time worked as H:MM.",
                "Compute the working time of {name}.",
                "Calculate the hours without the break.",
            ),
            texts=(
                "{name} worked from {begin} to {end} with a break of {pause} minutes.",
                "Start {begin}, end {end}, break {pause} minutes.",
                "{begin} to {end}, {pause} minutes break",
                "{name} came at {begin}, went at {end} and had {pause} minutes break.",
                "In {city} from {begin} until {end}; break: {pause} minutes.",
                "Break {pause} minutes, start {begin}, end {end}.",
                "{name} of {city} came at {begin} and went at {end}; {pause} minutes break.",
                "From {begin} until {end}, break of {pause} minutes.",
                "{city}: from {begin} to {end} with {pause} minutes break.",
                "{name} worked until {end} from {begin}, break {pause} minutes.",
                "Start at {begin}, end at {end}. {name} had {pause} minutes break.",
            ),
        ),
        test=Wordings(
            asks=(
                "Calculate the time {name} worked.",
                "Please compute the hours without the break (H:MM).",
                "Compute the time worked by {name}.",
            ),
            texts=(
                "{name} came at {begin} and worked until {end}; break {pause} minutes.",
                "{city}: start {begin}, end {end}, {pause} minutes break.",
                "From {begin} to {end} with {pause} minutes break.",
            ),
        ),
    ),
)
