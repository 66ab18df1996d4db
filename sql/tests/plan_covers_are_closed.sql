-- What covers a plan covers all that the plan covers: which licence goes must not depend on the order of looking.
select a.held_plan, b.needed_plan
from {{ ref('int_plan_covers') }} as a
join {{ ref('int_plan_covers') }} as b on b.held_plan = a.needed_plan
left join {{ ref('int_plan_covers') }} as c on c.held_plan = a.held_plan and c.needed_plan = b.needed_plan
where c.held_plan is null or a.held_plan = b.needed_plan
